"""After signing in nobody is led to another host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.provisional import urls

from gateway_shadow.login.paths import HOME, own_path, quoted

ODD = st.text(st.sampled_from("/\\@:.?#%a \t\n\r\x00é"), max_size=12)


@given(text=ODD | urls() | st.builds("/{}".format, ODD))
def test_where_one_is_led_is_a_path_of_this_door(text: str) -> None:
    found = own_path(text)
    assert found in (text, HOME)
    assert found.startswith("/")
    assert found[1:2] not in ("/", "\\")
    assert found.isprintable()
    assert "\\" not in found


@pytest.mark.parametrize("path", ["/", "/v1/me", "/policies?name=a&b=2", "/design/cap#rules"])
def test_a_path_of_the_door_is_kept(path: str) -> None:
    assert own_path(path) == path


@given(path=st.builds("/{}".format, ODD))
def test_a_path_in_an_address_is_one_value(path: str) -> None:
    assert not set(quoted(path)) & set("&#? \"'<>")
