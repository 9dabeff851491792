"""Drafts that are simulated while somebody writes: over one version of the ledger, which the page names by its time."""

import json

from gateway_shadow.pages.design_form import FRESH
from policy_store import jobs
from policy_store.api_keys import Role
from tests.door.browser import Browser
from tests.door.conftest import Door
from tests.engine.scenes import TENANT
from tests.live.waiting import until


def test_one_draft_after_another_is_over_the_ledger_that_the_first_has_found(
    house: Door, browsers: dict[Role, Browser]
) -> None:
    def simulated(cap: int) -> bool:
        """Whether it has ended while its page waited; where it has not, the next one reads the ledger anew."""
        text = FRESH.replace('"100"', f'"{cap}"')
        assert browsers["editor"].submit("/design-simulation", yaml=text, last="yaml").status_code == 200
        with house.database.read() as connection:
            return next(each for each in jobs.listed(connection, TENANT) if not each.is_stored).state == "done"

    until(lambda: simulated(5) and simulated(6), "two drafts, one after another")
    with house.database.read() as connection:
        second, first = [each for each in jobs.listed(connection, TENANT, most=5) if not each.is_stored][:2]
    assert "ledger_version" not in json.loads(first.options)
    assert first.ledger_version is not None
    assert json.loads(second.options)["ledger_version"] == second.ledger_version == first.ledger_version
