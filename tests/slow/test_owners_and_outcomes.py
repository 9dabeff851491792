"""A report says whose work is hit, how it had ended and who would have reviewed it, as a count by hand would."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given

from spendgate.simulate.run import Options
from tests.engine.scenes import examples
from tests.oracle.documents import to_ms
from tests.oracle.zones import HOUR_MS
from tests.slow.drawn_ledgers import EVIDENCE, OUTCOMES, Drawn, ledgers
from tests.slow.evaluator import NANO, Said, by_verdict
from tests.slow.reporting import OPTIONS, Both, both, counted, pair, read, said_at

OWNERS = ("team", "employee", "customer", "workflow", "model", "vendor", "api_key_id")


@given(drawn=ledgers(), options=OPTIONS)
@examples(25)
def test_owners_are_those_of_the_count_by_hand(drawn: Drawn, options: Options) -> None:
    found = both(drawn, options)
    assert set(found.report["owners"]) == set(OWNERS)
    for name in OWNERS:
        rows = found.report["owners"][name]
        by_value = owned(found.book.said, name)
        assert len(rows) == len(by_value)
        assert {row["value"] for row in rows} == set(by_value)
        for row in rows:
            mine = by_value[row["value"]]
            assert pair(row) == counted(mine)
            assert read(row["closed"]) == by_verdict([(said.verdict, said.cost) for said in mine])
            assert row["lost_accepted"] == len(lost(mine, found))
        worst = [(row["closed"]["deny"]["cost_nano_usd"], row["cost_nano_usd"]) for row in rows]
        assert worst == sorted(worst, reverse=True)


@given(drawn=ledgers(), options=OPTIONS)
@examples(25)
def test_lost_work_is_listed_by_its_owners_worst_first(drawn: Drawn, options: Options) -> None:
    found = both(drawn, options)
    expected = {
        (name, value): counted(gone)
        for name in OWNERS
        for value, mine in owned(found.book.said, name).items()
        if (gone := lost(mine, found))
    }
    rows = found.report["outcomes"]["lost_accepted_by_owner"]
    assert {(row["field"], row["value"]): pair(row) for row in rows} == expected
    assert len(rows) == len(expected)
    assert [pair(row) for row in rows] == sorted(map(pair, rows), reverse=True)


@given(drawn=ledgers(), options=OPTIONS)
@examples(25)
def test_outcomes_are_those_of_the_count_by_hand(drawn: Drawn, options: Options) -> None:
    found = both(drawn, options)
    said, outcomes = found.book.said, found.report["outcomes"]
    refused = [each for each in said if each.verdict in found.refused]
    for section, chosen in (("all", said), ("denied", refused)):
        assert {word: pair(sums) for word, sums in outcomes[section].items()} == {
            word: counted([each for each in chosen if (each.call.outcome or "unstated") == word])
            for word in {*OUTCOMES, "unstated"}
        }
    evidence = Counter(each.call.evidence_status or "unstated" for each in refused)
    assert outcomes["evidence_of_denied"] == {word: evidence[word] for word in (*EVIDENCE, "unstated")}
    made = [each for each in said if each.verdict not in found.refused]
    assert outcomes["cost_per_accepted_nano_usd"] == {"before": each_costs(said), "after": each_costs(made)}


@given(drawn=ledgers(), options=OPTIONS)
@examples(25)
def test_reviews_and_missing_prices_are_those_of_the_count_by_hand(drawn: Drawn, options: Options) -> None:
    found = both(drawn, options)
    said, report = found.book.said, found.report
    reviewed = [each for each in said if each.verdict == "review"]
    hours = Counter(each.judged_ms // HOUR_MS for each in reviewed)
    busiest = min(((-count, hour) for hour, count in hours.items()), default=None)
    assert pair(report["reviews"]) == counted(reviewed)
    assert report["reviews"]["busiest_hour"] == (
        None if busiest is None else {"start": said_at(busiest[1] * HOUR_MS), "calls": -busiest[0]}
    )
    assert Decimal(report["reviews"]["per_hour_mean"]) == an_hour(len(reviewed), said)
    unpriced = Counter((each.call.vendor, each.call.model) for each in said if each.call.cost_nano_usd is None)
    assert {(row["vendor"], row["model"]): row["calls"] for row in report["unpriced"]} == unpriced


def owned(said: Sequence[Said], name: str) -> dict[str | None, list[Said]]:
    """The calls of each owner; of None, those that nobody is known for."""
    found: dict[str | None, list[Said]] = {}
    for each in said:
        found.setdefault(getattr(each.call, name), []).append(each)
    return found


def lost(said: Sequence[Said], found: Both) -> list[Said]:
    """Accepted work that would not have been done."""
    return [each for each in said if each.verdict in found.refused and each.call.outcome == "accepted"]


def each_costs(said: Sequence[Said]) -> int | None:
    """What an accepted outcome costs, in whole nano-USD, cut downwards."""
    accepted = sum(each.call.outcome == "accepted" for each in said)
    return int(sum((each.cost for each in said), Decimal(0)) * NANO) // accepted if accepted else None


def an_hour(reviews: int, said: Sequence[Said]) -> Decimal:
    """Reviews an hour of the history, which counts as one hour at least and in whole hours, cut to hundredths."""
    times = [to_ms(each.call.time) for each in said] or [0]
    hours = max(1, -((min(times) - max(times)) // HOUR_MS))
    return Decimal(reviews * 100 // hours) / 100
