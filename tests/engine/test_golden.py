"""The engine gives the answers that were worked out by hand, wherever its batches are cut."""

import pytest

from tests.engine.evaluate import evaluate, place_of
from tests.golden_cases import Case, disagreements, load_cases
from tests.oracle.documents import Record

CASES = pytest.mark.parametrize("case", load_cases(), ids=lambda case: case.case)


def disagreements_of(case: Case, cut: list[list[Record]]) -> list[object]:
    _, decisions = evaluate(case.documents, cut)
    return list(disagreements(case, [decisions.get(place_of(record)) for record in case.records()]))


@CASES
def test_a_case_in_one_batch_is_answered_as_by_hand(case: Case) -> None:
    assert disagreements_of(case, [case.records()]) == []


@CASES
def test_a_case_record_by_record_is_answered_as_by_hand(case: Case) -> None:
    assert disagreements_of(case, [[record] for record in case.records()]) == []
