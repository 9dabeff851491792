"""Who signs in is who they were: an account stays its person, and nobody else becomes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_store import audit, people, stagings
from policy_store.errors import NotFound, Refused
from policy_store.people import Account, Person
from tests.store.conftest import Store
from tests.store.scenes import change, drafted

ANN, BOB = Account("https://idp", "subject-1"), Account("https://idp", "subject-2")
NAME = "ann@example.com"


def arrive(store: Store, account: Account, name: str = NAME) -> Person:
    with store.changes.of(audit.SYSTEM, "(door)") as made:
        return people.arrived(made, account, name)


def link(store: Store, name: str, person: str) -> Person:
    with store.changes.of(audit.SYSTEM, "root") as made:
        return people.link(made, name, person)


def test_an_account_stays_its_person_whatever_it_is_renamed_to(store: Store) -> None:
    assert arrive(store, ANN).person == NAME
    store.clock.ms += 5
    again = arrive(store, ANN, "ann.married@example.com")
    assert (again.person, again.name, again.seen_ms) == (NAME, NAME, store.clock.ms)


def test_another_account_of_the_same_name_is_refused_until_the_name_is_free(store: Store) -> None:
    arrive(store, ANN)
    with pytest.raises(Refused, match="belongs to another"):
        arrive(store, BOB)
    elsewhere = Account("https://other-idp", ANN.subject)
    with pytest.raises(Refused, match="belongs to another"):
        arrive(store, elsewhere)
    with store.changes.of(audit.SYSTEM, "root") as made:
        people.free(made, NAME)
    assert arrive(store, BOB).account == BOB
    with pytest.raises(NotFound), store.changes.of(audit.SYSTEM, "root") as made:
        people.free(made, "nobody@example.com")


def test_a_name_can_be_linked_to_the_person_of_older_keys_before_and_after_the_first_login(store: Store) -> None:
    link(store, NAME, "ann")
    assert arrive(store, ANN).person == "ann"
    link(store, NAME, "ann-2")
    assert arrive(store, ANN).person == "ann-2"
    with store.database.read() as connection:
        assert [(each.name, each.person) for each in people.listed(connection)] == [(NAME, "ann-2")]
        rows = audit.entries(connection, audit.SYSTEM)
    assert [each.action for each in rows] == ["link", "bind", "link"]


@pytest.mark.parametrize("who", ["ann", "Ann", "ANN"])
def test_the_author_under_another_spelling_is_the_author(store: Store, who: str) -> None:
    found = drafted(store, author="ann")
    with change(store) as made:
        asked = stagings.submit(made, found.name, found.latest.hash)
    with pytest.raises(Refused, match="not its author"), change(store, who) as made:
        stagings.approve(made, asked.id, 1, store.signer)


@given(name=st.text(st.characters(codec="ascii", min_codepoint=33), max_size=20))
def test_case_alone_makes_no_other_person(name: str) -> None:
    assert people.is_same(name.upper(), name.lower())
    assert not people.is_same(name, name + "x")
