"""The dashboard in Debian's Chromium: every page as every role, in both themes and at 320 pixels, without a violation
that axe-core knows, without a request to another host; a policy's way from its design into shadow by two people; two
people who edit one policy; a flag turned by two operators; decisions as they happen. It makes the pictures of the docs,
too: ``SPENDGATE_PICTURES=docs/images``."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dev.chromium import CHROMIUM, WAIT_MS, signed_in
from gateway_shadow.callers import RIGHTS
from peers.browsers import chromium, unsound, unsound_in_any_view
from policy_store.api_keys import Role
from tests.door.conftest import Door
from tests.door.test_live import publish
from tests.engine.scenes import TENANT
from tests.pages.addresses import PAGES
from tests.pages.conftest import ROLES, house, ids
from tests.reconcile.test_reconcile import busy
from tests.stack import new_directory, run_directory, stack

__all__ = ["chromium", "house", "ids", "new_directory", "run_directory", "stack"]

PICTURES = os.environ.get("SPENDGATE_PICTURES")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")
SignIn = Callable[..., Page]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def sign_in(chromium: Browser, house: Door) -> SignIn:
    """Signs somebody in, in a browser of their own."""

    def run(role: Role, person: str = "", **view: Any) -> Page:
        return signed_in(chromium, house.url, house.key(role, person or f"the-{role}", TENANT), **view)

    return run


def faults_of(page: Page, addresses: list[str], own: str) -> list[str]:
    """What is wrong on pages: violations, errors of the console, other hosts, text that is not in its place."""
    found: list[str] = []
    page.on("console", lambda said: found.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on("request", lambda asked: None if asked.url.startswith((own, "blob:")) else found.append(asked.url))
    for address in addresses:
        page.goto(address)
        expect(page.get_by_text("being counted for the first time")).to_have_count(0)  # it loads itself again
        found += [f"{address}: {each}" for each in unsound(page)]
    return found


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 320)], ids=["light-wide", "dark-narrow"])
@pytest.mark.parametrize("role", ROLES)
def test_every_page_of_every_role_is_sound(
    house: Door, sign_in: SignIn, ids: Callable[[str], str], role: Role, theme: str, width: int
) -> None:
    page = sign_in(role, theme=theme, width=width)
    mine = [ids(each.address) for each in PAGES if each.right in RIGHTS[role]]
    assert faults_of(page, mine, house.url) == []
    if role == "operator":
        for name, address in (("simulation", "/simulations/JOB"), ("gate", "/gate/STAGING")):
            page.goto(ids(address))
            picture(page, name if theme == "light" else f"{name}-{theme}")


def test_a_policy_goes_from_its_design_into_shadow_by_two_people(sign_in: SignIn) -> None:
    page = sign_in("editor", "eda")
    page.goto("/design")
    cap, text = page.get_by_label("Cap, in US dollars"), page.get_by_label("The same as YAML")
    cap.fill("lots")
    expect(page.locator("#w-spec\\.rules\\[0\\]\\.budget\\.cap_usd")).to_contain_text("expected dollars")
    cap.fill("12.50")
    expect(text).to_have_value(re.compile('cap_usd: "12.50"'))
    text.fill(text.input_value().replace("new-policy", "by-hand").replace("finance", "fred"))
    expect(page.get_by_label("Owner")).to_have_value("fred")
    expect(page.get_by_label("Name", exact=True)).to_have_value("by-hand")
    expect(page.locator("#simulation")).to_contain_text("No call in the last 30 days")
    page.get_by_role("button", name="Save as a draft").last.click()
    page.wait_for_url("**/policies/by-hand?done=drafted")
    page.get_by_label("Why it needs no simulation").fill("there is no history yet")
    page.get_by_role("button", name="Submit version 1").click()
    expect(page.get_by_role("status").filter(has_text="It is submitted")).to_be_visible()
    other = sign_in("approver", "amy")
    other.goto("/policies/by-hand")
    other.get_by_role("button", name="Approve: stage it in shadow").click()
    expect(other.get_by_role("status").filter(has_text="It is in shadow")).to_be_visible()
    expect(other.locator("#standing")).to_contain_text("Shadow only: nothing is blocked")
    picture(other, "policy")


def test_who_saves_second_gets_both_edits_and_chooses_where_they_meet(sign_in: SignIn, house: Door) -> None:
    one, two = sign_in("editor", "eda"), sign_in("editor", "eve")

    def edit(page: Page, **said: str) -> None:
        for field, value in said.items():
            page.get_by_label({"owner": "Owner", "about": "What it is for", "cap": "Cap, in US dollars"}[field]).fill(
                value
            )
            expect(page.get_by_label("The same as YAML")).to_have_value(re.compile(value))

    for page in (one, two):
        page.goto("/design/capped")
    edit(one, owner="treasury")
    edit(two, about="a day's cap")
    save(one)
    one.wait_for_url("**/policies/capped?done=drafted")
    save(two)
    expect(two.get_by_role("alert")).to_contain_text("Merged with what eda has saved meanwhile")
    expect(two.get_by_label("Owner")).to_have_value("treasury")
    expect(two.get_by_label("What it is for")).to_have_value("a day's cap")
    save(two)
    two.wait_for_url("**/policies/capped?done=drafted")
    for page in (one, two):
        page.goto("/design/capped")
    edit(one, cap="21")
    edit(two, cap="22", owner="eve")
    save(one)
    one.wait_for_url("**/policies/capped?done=drafted")
    save(two)
    expect(two.get_by_role("heading", name="Merge two edits of capped")).to_be_visible()
    assert unsound_in_any_view(two) == []
    two.get_by_label("By eda: $21").press("Space")
    two.get_by_role("button", name="Merge both").press("Enter")
    expect(two.get_by_label("Cap, in US dollars")).to_have_value("21")
    expect(two.get_by_label("Owner")).to_have_value("eve")
    save(two)
    two.wait_for_url("**/policies/capped?done=drafted")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save as a draft").last.click()


def test_the_api_s_page_is_sound_in_every_view(chromium: Browser, house: Door) -> None:
    page = chromium.new_page(base_url=house.url)
    page.goto("/docs")
    assert unsound_in_any_view(page) == []


def test_a_flag_is_turned_on_by_two_operators_and_off_by_one(sign_in: SignIn) -> None:
    one, two = sign_in("operator", "ola"), sign_in("operator", "ulf")
    one.goto("/gate")
    asking = one.locator("form[action='/gate/ask']")
    asking.get_by_label("Level").select_option("global")
    asking.get_by_label("Why").fill("two months of shadow")
    asking.get_by_role("button", name="Ask").click()
    expect(one.get_by_text("You have asked: another operator confirms")).to_be_visible()
    two.goto("/gate")
    two.get_by_role("button", name="Confirm: turn it on").click()
    expect(two.get_by_role("status").filter(has_text="It is on.")).to_be_visible()
    off = two.locator("form[action='/gate/off']")
    off.get_by_label("Level").select_option("global")
    off.get_by_label("Why").fill("enough for now")
    off.get_by_role("button", name="Turn it off now").click()
    expect(two.get_by_role("status").filter(has_text="It is off.")).to_be_visible()


def test_what_operators_change_is_changed_by_keyboard_alone(sign_in: SignIn) -> None:
    page = sign_in("operator", "olga")
    page.goto("/alerts")
    page.get_by_text("Add a target").press("Enter")
    page.get_by_label("Name (required)").fill("hook")
    page.get_by_label("Address").fill("https://192.0.2.1/a-path")
    page.get_by_label("A budget is over its cap").press("Space")
    page.get_by_role("button", name="Add it").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("public address")
    expect(page.locator("#f-url")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("A budget is over its cap")).to_be_checked()
    page.goto("/privacy")
    page.get_by_text("Change them").press("Enter")
    page.get_by_role("button", name="Add a scope with another mode").press("Enter")
    fill(page, "Team", "legal")
    page.get_by_label("Mode of its calls").select_option("fingerprint_only")
    page.get_by_label("Why (required)").first.fill("a trial of the team")
    page.get_by_role("button", name="Save").last.press("Enter")
    expect(page.get_by_role("status").filter(has_text="The privacy settings are saved")).to_be_visible()
    expect(page.get_by_text("fingerprint only: team legal")).to_be_visible()
    page.goto("/gate/criteria")
    fill(page, "Calls compared, at least", "2000")
    page.get_by_label("Why").fill("we have many")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_label("Calls compared, at least")).to_have_value("2000")
    page.goto("/keys")
    row = page.locator("tr", has_text="a-program")
    row.get_by_text("Rotate").press("Enter")
    row.get_by_label("The old one goes on for").select_option("a day")
    row.get_by_role("button", name="Make the new key").press("Enter")
    expect(page.get_by_role("status").filter(has_text="The new key of a-program")).to_be_visible()
    assert unsound(page) == []


def fill(page: Page, label: str, value: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.press("Control+A")
    field.press_sequentially(value)


def test_the_tree_of_budgets_folds_by_keyboard_and_shows_a_part_by_itself(sign_in: SignIn) -> None:
    page = sign_in("viewer")
    page.goto("/budgets")
    expect(page.locator(".tree.first .state")).to_contain_text(["over", "approaching"])
    picture(page, "budgets")
    outer = page.locator(".tree.first > li > details")
    expect(outer).to_have_attribute("open", "")
    outer.locator("> summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".place", has_text="team t0")).to_be_hidden()
    page.keyboard.press("Enter")
    page.get_by_role("link", name=re.compile("more of team t0")).click()
    expect(page.locator(".tree.first > li > .place")).to_have_text("team t0")
    expect(page.locator(".budget")).to_have_count(21)
    page.get_by_label("Show").select_option("over")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".state")).to_have_text(["over"] * 8)


def test_decisions_come_as_they_happen_and_wait_while_paused(house: Door, sign_in: SignIn) -> None:
    page = sign_in("viewer")
    page.goto("/shadow")
    expect(page.locator(".livestate")).to_contain_text("Live")
    before = page.locator(".rows tr").count()
    publish(house, TENANT, busy()[1][:7])
    expect(page.locator(".rows tr")).to_have_count(before + 7)
    picture(page, "shadow")
    page.get_by_role("button", name="Pause").click()
    publish(house, TENANT, busy()[1][7:10])
    expect(page.locator(".livestate")).to_contain_text("3 wait")
    expect(page.locator(".rows tr")).to_have_count(before + 7)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".rows tr")).to_have_count(before + 10)


def test_what_was_typed_is_still_there_after_the_session_has_ended(sign_in: SignIn) -> None:
    page = sign_in("editor", "eda")
    page.goto("/design")
    page.get_by_label("What it is for").fill("long thought about")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save as a draft").last.click()
    expect(page.get_by_label("yaml")).to_have_value(re.compile("new-policy"))
    expect(page.get_by_text("Nothing was changed")).to_be_visible()


def test_a_draft_is_simulated_once_one_stops_typing(sign_in: SignIn) -> None:
    page = sign_in("editor", "eda")
    page.clock.install(time=0)
    asked: list[str] = []
    page.on("request", lambda said: asked.append(said.url) if said.url.endswith("/design-simulation") else None)
    page.goto("/design/capped")
    cap, text = page.get_by_label("Cap, in US dollars"), page.get_by_label("The same as YAML")
    expect(page.locator("#simulation")).not_to_have_attribute("aria-busy", "true")
    page.clock.pause_at(3_600_000)
    cap.fill("")
    before = len(asked)
    for typed in ("1", "12", "123", "1234"):
        cap.press(typed[-1])
        page.clock.run_for(200)
        expect(text).to_have_value(re.compile(f'cap_usd: "{typed}"'))
        page.clock.run_for(50)
    assert len(asked) == before
    with page.expect_response("**/design-simulation"):
        page.clock.run_for(100)
    assert len(asked) == before + 1


def picture(page: Page, name: str) -> None:
    """A picture for the docs, where they are made."""
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{PICTURES}/{name}.png")
