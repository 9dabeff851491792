"""What is redacted, and what is refused: known patterns go, names go with a model, free text is refused without one."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from gateway_shadow.privacy.redaction import FREE_TEXT, MOST_CHARS, NotRedacted, Redaction

KNOWN = {
    "EMAIL_ADDRESS": ["ada@example.com", "ada.brown@ward.hospital.intern"],
    "CREDIT_CARD": ["4111 1111 1111 1111", "5555555555554444"],
    "PHONE_NUMBER": ["+44 20 7946 0958", "(212) 555-0187"],
    "US_SSN": ["536-22-1234"],
    "IP_ADDRESS": ["10.1.2.3", "2001:db8::8a2e:370:7334"],
    "IBAN_CODE": ["DE89370400440532013000"],
    "URL": ["https://example.org/a?b=c"],
    "DATE_TIME": ["2026-05-01", "05/01/2026"],
    "OPAQUE": ["sk-proj-Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4", "data:image/png;base64,iVBORw0KGgo=", "6d79" * 12],
}
NAMES = ("Ada Brown", "Leeds", "Acme Health")


def make_model(folder: Path) -> Path:
    """A model of spaCy's that knows three names."""
    pipeline = spacy.blank("en")
    ruler: Any = pipeline.add_pipe("entity_ruler")
    kinds = zip(("PERSON", "GPE", "ORG"), NAMES, strict=True)
    ruler.add_patterns([{"label": kind, "pattern": name} for kind, name in kinds])
    pipeline.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def blank() -> Redaction:
    return Redaction(None)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Redaction:
    return Redaction(make_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Presidio would look up which domains there are."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in KNOWN.items() for text in texts])
def test_a_known_pattern_goes_wherever_it_stands(kind: str, text: str, blank: Redaction, named: Redaction) -> None:
    assert blank.text(text) == f"<{kind}>"
    said = {"prompt": [{"role": "user", "content": f"of the ward: {text}, and again {text}"}], "response": text}
    redacted = named.content(json.dumps(said).encode()).decode()
    assert text not in redacted
    assert redacted.count(f"<{kind}>") >= 3


@pytest.mark.parametrize("between", [" ", "   ", " 4 ", "  4  ", "-", " a ", ", "])
@pytest.mark.parametrize("kind", KNOWN)
def test_a_telephone_number_goes_whatever_stands_beside_it(kind: str, between: str, named: Redaction) -> None:
    for phone in KNOWN["PHONE_NUMBER"]:
        for other in KNOWN[kind]:
            for text in (f"{phone}{between}{other}", f"{other}{between}{phone}"):
                redacted = named.text(text)
                assert phone not in redacted, text
                assert other not in redacted, text


ENTITY = st.sampled_from([text for texts in KNOWN.values() for text in texts] + list(NAMES))
WORDS = st.text(alphabet="the ward saw and left, again. ", max_size=20)


@given(parts=st.lists(st.tuples(WORDS, ENTITY), min_size=1, max_size=4))
def test_nothing_that_is_known_is_left_however_it_is_mixed(parts: list[tuple[str, str]], named: Redaction) -> None:
    text = " ".join(f"{words} {entity} " for words, entity in parts)
    nested = {"prompt": {"deep": [{"deeper": text}]}, "response": json.dumps([{"text": text}])}
    redacted = named.content(json.dumps(nested).encode()).decode()
    assert [entity for _, entity in parts if entity in redacted] == []


def test_names_go_with_a_model_in_values_in_names_of_fields_and_in_json_within_text(named: Redaction) -> None:
    said = {"prompt": {NAMES[0]: f"{NAMES[0]} of {NAMES[1]}"}, "response": json.dumps({"who": NAMES[2]})}
    assert json.loads(named.content(json.dumps(said).encode())) == {
        "prompt": {"<PERSON>": "<PERSON> of <LOCATION>"}, "response": '{"who": "<ORGANIZATION>"}',
    }  # fmt: skip


def test_fields_whose_names_redact_to_the_same_are_all_kept(named: Redaction) -> None:
    said = {"ada@example.com": 1, "eve@example.com": 2}
    assert sorted(json.loads(named.content(json.dumps(said).encode())).values()) == [1, 2]


@pytest.mark.parametrize(
    "said",
    [
        "hello", "Ada", "ada@example.com is hers", ["ok", "Ada"], {"Ada Brown": 1}, {"deep": [{"deeper": "Ада"}]},
        json.dumps({"name": "Ada"}), "Zm9v", "４１ Ａ",
    ],
)  # fmt: skip
def test_without_a_model_free_text_is_refused_wherever_it_stands(said: Any, blank: Redaction) -> None:
    for content in ({"prompt": said, "response": None}, {"prompt": "12", "response": [said]}):
        with pytest.raises(NotRedacted, match="no free text") as refused:
            blank.content(json.dumps(content).encode())
        assert str(refused.value) == FREE_TEXT


def test_without_a_model_what_holds_no_free_text_is_redacted(blank: Redaction) -> None:
    said = {
        "prompt": [{"role": "user", "content": "4111 1111 1111 1111"}, {"amount": 12, "ok": True, "none": None}],
        "response": {"account": 123456789, "at": "2026-05-01", "share": 0.5},
    }
    assert json.loads(blank.content(json.dumps(said).encode())) == {
        "prompt": [{"role": "user", "content": "<CREDIT_CARD>"}, {"amount": 12, "ok": True, "none": None}],
        "response": {"account": "<US_BANK_NUMBER>", "at": "<DATE_TIME>", "share": 0.5},
    }


def test_what_is_too_long_or_too_deep_is_refused_and_not_passed_over(blank: Redaction) -> None:
    deep = "[" * 3000 + "]" * 3000
    for content in (json.dumps({"prompt": "1 " * MOST_CHARS}).encode(), f'{{"prompt": {deep}}}'.encode()):
        with pytest.raises(NotRedacted):
            blank.content(content)
