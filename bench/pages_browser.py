"""The browser's side: an operator and an editor, who see every page between them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page

from bench.pages_house import Opened
from dev.chromium import launched, signed_in, wait_counted

Figures = dict[str, Any]

ADDRESSES = (
    "/", "/shadow", "/shadow?verdict=deny", "STORY", "/reviews", "/policies", "/policies/t20-month", "/design",
    "/design/t20-month", "/simulations", "/simulations/JOB", "/gate", "/gate/STAGING", "/ledger",
    "/ledger?team=t20", "/budgets", "/alerts", "/keys", "/privacy", "/audit", "/audit?verify=yes", "/settings",
)  # fmt: skip

_TIMES = """() => {
  const page = performance.getEntriesByType("navigation")[0], all = performance.getEntriesByType("resource");
  return {
    first_byte_ms: page.responseStart - page.requestStart,
    drawn_ms: Math.max(page.loadEventEnd, ...all.map((each) => each.responseEnd)),
    kb: [page, ...all].reduce((sum, each) => sum + each.transferSize, 0) / 1000,
    page_kb: page.transferSize / 1000,
  };
}"""
_REDRAWN = """(cap) => new Promise((done) => {
  const field = document.getElementsByName("spec.rules[0].budget.cap_usd")[0];
  const part = document.getElementById("simulation");
  const begun = performance.now();
  new MutationObserver((_, mine) => {
    if (part.hasAttribute("aria-busy")) return;
    mine.disconnect();
    requestAnimationFrame(() => done(part.querySelector(".tiles") ? performance.now() - begun : null));
  }).observe(part, { attributes: true });
  field.value = cap;
  field.dispatchEvent(new Event("input", { bubbles: true }));
})"""
_ASKED = """async (cap) => {
  const said = new URLSearchParams(new FormData(document.getElementById("design")));
  said.set("act", "simulate"); said.set("last", "form"); said.set("spec.rules[0].budget.cap_usd", cap);
  const begun = performance.now(), answer = await fetch("/design-simulation", { method: "POST", body: said });
  const text = await answer.text();
  return { ms: performance.now() - begun, kb: text.length / 1000, is_drawn: answer.ok && text.includes("tiles") };
}"""


@contextmanager
def browsing(here: Opened) -> Iterator[tuple[Page, Page]]:
    """A page of the operator, and one of the editor, each with a session and a cache of their own."""
    with launched() as chromium:
        yield signed_in(chromium, here.url, here.operator), signed_in(chromium, here.url, here.editor)


def looking(operator: Page, editor: Page, here: Opened, rounds: int) -> dict[str, Figures]:
    """Every page, round by round."""
    addresses = {each: _address(operator, here, each) for each in ADDRESSES}
    seen: dict[str, list[Figures]] = {each: [] for each in ADDRESSES}
    for _ in range(rounds):
        for name, address in addresses.items():
            page = editor if name.startswith("/design") else operator
            begun_ms = here.door_cpu_ms()
            found = _looked(page, address)
            seen[name].append({**found, "cpu_ms": round(here.door_cpu_ms() - begun_ms)})
            print(f"{name}: {seen[name][-1]}", flush=True)
    return {name: _best(found) for name, found in seen.items()}


def _address(page: Page, here: Opened, name: str) -> str:
    if name == "STORY":
        page.goto("/shadow?verdict=deny")
        return str(page.locator(".rows a").first.get_attribute("href"))
    return name.replace("STAGING", here.staging).replace("JOB", here.job)


def _looked(page: Page, address: str) -> Figures:
    answer = page.goto(address)
    if answer is None:
        raise SystemExit(f"{address}: no answer")
    if address.startswith("/shadow") and "story" not in address:
        page.locator(".livestate", has_text="Live").wait_for()  # its stream stays open: it is never idle
    else:
        page.wait_for_load_state("networkidle")
    found = {name: round(value, 1) for name, value in page.evaluate(_TIMES).items()}
    if "refresh" in answer.headers:  # what it shows is counted for the first time, and it would come again by itself
        page.goto("about:blank")
        wait_counted(page, address)
    return found


def _best(found: list[Figures]) -> Figures:
    best = {name: min(each[name] for each in found) for name in ("first_byte_ms", "drawn_ms", "page_kb")}
    # A thread that ends takes what it has used along with it.
    best["cpu_ms"] = min((each["cpu_ms"] for each in found if each["cpu_ms"] > 0), default=0)
    return {**best, "kb": max(each["kb"] for each in found), "first": found[0]}


def drawing(page: Page, here: Opened, rounds: int) -> Figures:
    """A month's budget is designed: the same page, another cap each time."""
    page.goto("/design/t20-month")
    page.locator("#simulation .tiles").first.wait_for()
    inside, asked, typed, cpu = [], [], [], []
    for number in range(rounds):
        begun_ms = here.door_cpu_ms()
        inside.append(_redrawn(page, f"{200 + number}"))
        cpu.append(here.door_cpu_ms() - begun_ms)
        answer = page.evaluate(_ASKED, f"{300 + number}")
        if not answer["is_drawn"]:
            raise SystemExit("the design page's own endpoint does not draw")
        asked.append(answer["ms"])
        typed.append(_typed(page, f"{1234 + number}"))
    return {
        "redraw_ms": round(min(inside)), "endpoint_ms": round(min(asked)), "after_typing_ms": round(min(typed)),
        "cpu_ms": round(min(cpu)), "rounds_ms": [[f"{each:.0f}" for each in found] for found in (inside, asked, typed)],
    }  # fmt: skip


def _typed(page: Page, text: str) -> float:
    """From the last of some keys to what they have come to."""
    field = page.get_by_label("Cap, in US dollars")
    field.fill("")
    field.press_sequentially(text[:-1], delay=180)
    return _redrawn(page, text)


def _redrawn(page: Page, cap: str) -> float:
    """Milliseconds from the last keystroke; no end to it where the page has given up waiting."""
    found = page.evaluate(_REDRAWN, cap)
    return float("inf") if found is None else float(found)
