"""The recount gives the answers that were worked out by hand."""

import pytest

from tests.golden_cases import Case, disagreements, load_cases
from tests.oracle import Oracle


@pytest.mark.parametrize("case", load_cases(), ids=lambda case: case.case)
def test_the_recount_answers_as_worked_out_by_hand(case: Case) -> None:
    oracle = Oracle(case.documents)
    assert disagreements(case, [oracle.feed(record) for record in case.records()]) == []


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.case for case in load_cases()]
    assert len(names) == len(set(names))


def test_a_wrong_answer_is_noticed() -> None:
    case = load_cases()[0]
    assert disagreements(case, [None for _ in case.records()]) != []
