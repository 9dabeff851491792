"""What stands in the documentation is true of the product: commands, options, routes, targets, links, places."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from dev.docs import assemble, life, nav, pictures
from dev.docs.references import api, command, commands, policy
from dev.places import CHECKOUT
from gateway_shadow.app import BY_PROVIDER, ROUTES
from policy_store.lifecycle import MOVES, STAGING_STATES, VERSION_STATES
from tests.docs.pages import PAGES, blocks, code, prose, spoken, target_of, text_of
from tests.docs.reasons import REASONS

_COMMANDS = commands()
_GROUPS = {name.rsplit(" ", cut)[0] for name in _COMMANDS for cut in range(1, name.count(" ") + 1)}
_TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", (CHECKOUT / "Makefile").read_text(), flags=re.MULTILINE))
_ADDRESSES = {
    re.sub(r"{[^}]*}", "{}", str(route.path))
    for each in (*ROUTES, *BY_PROVIDER)
    for route in each.router.routes
    if hasattr(route, "path")
}
"""What the door answers; its document leaves some out."""
_ROUTE = re.compile(r"(?<![\w.])/v1/[\w/{}.-]*\w}?(?!\.\.\.)")
_MAKE = re.compile(r"(?:^|\$ |`)make ([a-z][a-z0-9-]*)", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_MADE = {f"docs/reference/{name}.md" for name in ("policy", "api", "command")} | {
    f"docs/pictures/{name}.svg" for name in pictures.all_of_them()
}
_WORD = re.compile(r"[a-z][a-z-]*")


def _resolved(words: list[str]) -> str:
    """The longest command or group that the words begin with."""
    name = words[0]
    for word in words[1:]:
        if f"{name} {word}" not in _COMMANDS and f"{name} {word}" not in _GROUPS:
            break
        name += f" {word}"
    return name


def _options(command: Any) -> set[str]:
    found = {"--help"}
    for each in command.params:
        found.update((*each.opts, *each.secondary_opts))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_exists_with_its_options(page: str) -> None:
    for words in spoken(page):
        name = _resolved(words)
        rest = words[len(name.split()) :]
        if name in _GROUPS:
            assert not rest or not _WORD.fullmatch(rest[0]) or rest == ["--version"], (
                f"{' '.join(words)}: no such command"
            )
            continue
        known = _options(_COMMANDS[name])
        asked = {each.partition("=")[0] for each in rest if each.startswith("--") and len(each) > 2}
        assert asked <= known, f"{' '.join(words)}: {name} has no {', '.join(sorted(asked - known))}"


@pytest.mark.parametrize("page", PAGES)
def test_every_route_that_is_named_is_the_doors(page: str) -> None:
    for text in code(page):
        for found in _ROUTE.findall(re.sub(r"https?://(?!127\.0\.0\.1|spendgate)[^\s\"']*", "", text)):
            shape = re.sub(r"{[^}]*}|(?<=/)[A-Z][A-Z_]*(?=/|$)", "{}", found)
            assert any(_fits(shape, each) for each in _ADDRESSES), f"{found} is no route"


def _fits(found: str, route: str) -> bool:
    """Whether a route, or what is common to several, is named; a placeholder stands for any segment."""
    pattern = re.escape(route).replace(r"\{\}", "[^/]+")
    return re.fullmatch(pattern, found) is not None or route.startswith(f"{found}/")


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_is_named_exists(page: str) -> None:
    named = {target for text in code(page) for target in _MAKE.findall(f"`{text}")}
    assert named <= _TARGETS


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in _LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        if ":" in path or not path:
            continue
        target = target_of(page, path).resolve()
        if target.is_relative_to(CHECKOUT) and target.relative_to(CHECKOUT).as_posix() in _MADE:
            continue
        assert target.exists(), f"{page}: {link} leads nowhere"
        assert not anchor or target.suffix != ".md" or anchor in _anchors(target.relative_to(CHECKOUT).as_posix())


def _anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_page_has_one_place() -> None:
    pages = [*nav.pages_of(nav.DOCS), *(each.removeprefix("docs/") for each in _MADE if each.endswith(".md"))]
    places = nav.placed(nav.sections(), pages)
    assert sorted(page for section in places.values() for page in section) == sorted(pages)


def test_a_new_page_is_taken_in_and_one_that_is_gone_is_told() -> None:
    written = {"Start": ["index.md"], "Operate": ["runbooks/*.md"]}
    placed = nav.placed(written, ["index.md", "new.md", "runbooks/b.md", "runbooks/a.md"])
    assert placed == {"Start": ["index.md"], "Operate": ["runbooks/a.md", "runbooks/b.md"], nav.MORE: ["new.md"]}
    with pytest.raises(nav.NavError, match=r"Start: index\.md"):
        nav.placed(written, ["new.md"])


def test_the_references_tell_of_every_field_route_and_command() -> None:
    fields, routes, named = policy(), api(), command()
    assert all(f"| `{field}` |" in fields for field in ("cap_usd", "warn_at_percent", "fail_mode", "evidence_status"))
    assert "POST /v1/check" in routes
    assert all(f"## `{name}`" in named for name in _COMMANDS)


def test_the_picture_of_a_policys_life_has_every_state_and_move_and_takes_the_diagrams_place() -> None:
    drawn = life.life()
    assert set(life.PLACES) == {*VERSION_STATES, *STAGING_STATES}
    told = life.moves()
    assert {(move.before, move.after, move.action) for move in MOVES} <= {
        (before, after, action) for (before, after), words in told.items() for action in words.split(", ")
    }
    assert drawn.count("url(#arrow)") == len(told)
    assert all(f">{words}</text>" in drawn for words in told.values())
    page = assemble.drawn(text_of("docs/policy-store.md"))
    assert "mermaid" not in page
    assert "pictures/life.svg" in page
    with pytest.raises(ValueError, match="no diagram"):
        assemble.drawn("```mermaid\nflowchart LR\n```\n")


def test_the_picture_of_the_loops_is_the_law() -> None:
    assert pictures.closed_loop((4, 4, 4, 1), 10) == ([4, 8, 8, 9], [False, False, True, False])


_RUNBOOKS = re.compile(r"docs/runbooks/(?!README)")
"""Walked whole, command by command, in ``tests/runbooks``."""


def not_run() -> list[tuple[str, str]]:
    """Every command line of the documentation that no test runs from its page."""
    return [
        (page, command)
        for page in PAGES
        if not _RUNBOOKS.match(page)
        for block in blocks(page)
        if not block.mark.startswith("run")
        for command in block.commands()
    ]


def test_every_command_is_run_from_its_page_or_has_a_reason_and_every_reason_a_command() -> None:
    left = not_run()
    without = [(page, command) for page, command in left if not any(each.is_of(page, command) for each in REASONS)]
    assert without == []
    idle = [each for each in REASONS if not any(each.is_of(page, command) for page, command in left)]
    assert idle == []


def test_what_runs_a_command_elsewhere_is_there() -> None:
    assert [each.by for each in REASONS if not (CHECKOUT / each.by).exists()] == []


def test_every_command_block_that_is_marked_is_one_that_can_be_run() -> None:
    marks: Mapping[str, set[str]] = {
        "run": {"console"},
        "run: stack": {"console"},
        "run: kafka": {"console"},
        "run: system": {"console"},
        "run: install": {"console"},
        "run: background": {"console"},
    }
    for page in PAGES:
        for block in blocks(page):
            assert block.language in marks.get(block.mark, {block.language})
            assert not block.mark.startswith("run") or list(block.steps())
