"""The OpenAPI document is kept: no request, however odd, gets a fault or an answer that the document does not have."""

from typing import Any, get_args

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from policy_store.api_keys import Role
from tests.door.conftest import Door

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
ROLES: tuple[Role, ...] = get_args(Role)


@pytest.fixture(scope="module")
def clients(shared_door: Door) -> dict[str | None, dict[str, str]]:
    """The headers of each role, and of nobody."""
    return {None: {}, **{role: {"Authorization": f"Bearer {shared_door.key(role)}"} for role in ROLES}}


@pytest.mark.parametrize("role", [None, *ROLES])
def test_every_route_answers_as_its_document_says(
    shared_door: Door, clients: dict[str | None, dict[str, str]], role: str | None
) -> None:
    document = schemathesis.openapi.from_url(f"{shared_door.url}/openapi.json")
    every = [found.ok() for found in document.get_all_operations()]  # type: ignore[union-attr]  # (no Err here)
    # A stream of what happens has no end; its laws are in test_live.py.
    operations = [each for each in every if each.path != "/v1/decisions/live"]
    assert len(operations) > 25

    @given(data=st.data())
    @settings(
        max_examples=120, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def run(data: Any) -> None:
        operation = data.draw(st.sampled_from(operations))
        case = data.draw(operation.as_strategy())
        for name in ("Authorization", "X-Api-Key"):  # made up from the document; who asks is what this test is about
            case.headers.pop(name, None)
        case.call_and_validate(base_url=shared_door.url, headers=clients[role], checks=CHECKS)

    run()


def test_the_document_has_an_example_for_every_body_that_is_read_as_it_comes(shared_door: Door) -> None:
    document = httpx.get(f"{shared_door.url}/openapi.json").json()
    for path in ("/v1/events", "/v1/ingest/litellm", "/v1/policies"):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        assert any("example" in each or "examples" in each for each in content.values()), path
