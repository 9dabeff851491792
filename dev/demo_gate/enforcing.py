"""The last chapters: two people flip, a cap holds against a crowd, and a drift brings the policy back to shadow."""

from typing import Any

from dev.demo_gate.callers import crowd
from dev.demo_gate.facts import Facts
from dev.demo_gate.ground import TENANT
from dev.demo_gate.month import CAP_NANO_USD, TEAM, month_of
from dev.demo_gate.proving import drift
from dev.demo_gate.shadow import NAME
from dev.demo_gate.telling import Teller, detail, usd

CALLERS, PRICE_NANO_USD = 40, 250_000_000
REFUSED, DENIED, ALLOWED = 409, 429, 200
REQUESTS = "/v1/enforcement/requests"


def flipped(teller: Teller, staging: str, facts: Facts) -> None:
    """One person alone cannot; two can."""
    teller.chapter("One person alone cannot turn it on; two can")
    for level in ("global", "tenant"):
        teller.command(f"spendgate enforcement {level} on --why 'two months of shadow'     # cat asks, dan confirms")
        _confirmed(teller, "dan", _asked(teller, {"level": level}))
    asked = _asked(teller, {"level": "policy", "staging": staging})
    teller.command(f"spendgate enforcement request {NAME} --why 'two months of shadow'    # cat")
    alone = teller.ask("cat", "POST", f"{REQUESTS}/{asked['id']}/confirm", json={})
    teller.command(f"spendgate enforcement confirm {asked['id']}                          # cat again")
    teller.say(f"refused ({alone.status_code}): {detail(alone)}")
    still_off = not teller.good("cat", "GET", "/v1/enforcement")["enforced"]
    facts.single_person_flip_refused = alone.status_code in range(400, 500) and still_off
    teller.command(f"spendgate enforcement confirm {asked['id']}                          # dan")
    flag = _confirmed(teller, "dan", asked)
    status = teller.good("cat", "GET", "/v1/enforcement")
    teller.say(status["words"][0])
    facts.flip_with_two_accepted = bool(flag["on"]) and [each["staging"] for each in status["enforced"]] == [staging]


def _asked(teller: Teller, wanted: dict[str, str]) -> Any:
    return teller.good("cat", "POST", REQUESTS, json={**wanted, "why": "two months of shadow"})


def _confirmed(teller: Teller, who: str, asked: Any) -> Any:
    return teller.good(who, "POST", f"{REQUESTS}/{asked['id']}/confirm", json={})


def held(teller: Teller, staging: str, facts: Facts) -> None:
    """A crowd asks for far more than is left."""
    teller.chapter(f"{CALLERS} callers at once, {usd(PRICE_NANO_USD)} each")
    teller.until(lambda: _status(teller, 2 * CAP_NANO_USD) == DENIED, "enforcement to begin")
    before = _admitted(teller, staging)
    fit = (CAP_NANO_USD - before) // PRICE_NANO_USD
    teller.say(f"Team {TEAM} has spent {usd(before)} of {usd(CAP_NANO_USD)} this month: {fit} of them fit.")
    told = crowd(teller.ground.url, teller.ground.keys["app"], CALLERS, TEAM, PRICE_NANO_USD)
    allowed, denied = [each for each in told if each.allowed], [each for each in told if not each.allowed]
    teller.say(f"{len(allowed)} were allowed, {len(denied)} denied (429: {', '.join({str(d.code) for d in denied})}).")
    teller.until(lambda: not _reserved(teller), "every call to be settled")
    after = _admitted(teller, staging)
    teller.say(f"Once all have reported: {usd(after)} of {usd(CAP_NANO_USD)}, not one call too many.")
    rest = CAP_NANO_USD - after
    one_more, exactly = _status(teller, rest + 1), _status(teller, rest)
    teller.say(f"A nano-dollar more than is left: {one_more}. Exactly what is left, {usd(rest)}: {exactly}.")
    facts.denied_at_cap = bool(denied) and {each.code for each in denied} == {"over_cap"} and one_more == DENIED
    facts.overshoot_zero = (
        len(allowed) == fit and after == before + fit * PRICE_NANO_USD <= CAP_NANO_USD and exactly == ALLOWED
    )


def demoted(teller: Teller, staging: str, facts: Facts) -> None:
    """What stops being right steps back by itself."""
    teller.chapter("The counter drifts again, while the policy is enforced")
    drift(teller, staging)
    teller.until(lambda: not teller.good("cat", "GET", "/v1/enforcement")["enforced"], "the demotion")
    (row,) = [each for each in teller.good("cat", "GET", "/v1/audit?limit=1000") if each["action"] == "demote"]
    teller.say(f"{row['at'][:19]}Z, by {row['who']}: {row['why']}")
    teller.until(lambda: _status(teller, 2 * CAP_NANO_USD) == ALLOWED, "the door to obey")
    state = teller.good("cat", "GET", f"/v1/stagings/{staging}")["state"]
    gate = teller.good("cat", "GET", f"/v1/stagings/{staging}/gate")["state"]
    teller.command("spendgate enforcement status")
    teller.say(teller.good("cat", "GET", "/v1/enforcement")["words"][0])
    teller.say(f"The staging is in {state}, its gate is {gate}: it needs a round that passes, and two people, again.")
    facts.drift_demoted = (row["who"], state, gate) == ("spendgate", "shadow", "blocked") and "in Redis" in row["why"]


def _status(teller: Teller, estimate_nano_usd: int) -> int:
    """Of the answer to a call that would cost so much."""
    question = {"team": TEAM, "estimate_nano_usd": estimate_nano_usd}
    return teller.ask("app", "POST", "/v1/check", json=question).status_code


def _admitted(teller: Teller, staging: str) -> int:
    """What this month's counter holds."""
    start_ms = int(month_of(teller.ground.clock.now()).timestamp() * 1000)
    with teller.ground.redis() as client:
        slot = teller.ground.counters.slot(f"{TENANT} {staging} 0 {start_ms}")
        return int(client.hget(slot, f"a0 team={TEAM}") or 0)


def _reserved(teller: Teller) -> dict[bytes, bytes]:
    with teller.ground.redis() as client:
        found: dict[bytes, bytes] = client.hgetall(teller.ground.counters.reserved(TENANT)[0])
        return found
