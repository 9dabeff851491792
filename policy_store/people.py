"""People as a provider knows them, and who they are here.

A name that the provider says (an e-mail address, say) is bound to the account that came with it first: (issuer,
subject), which OpenID Connect calls the only stable identifier (Core 1.0, section 5.7). From then on the account is
that person, whatever it is renamed to; and another account that comes by the same name is refused. Names stand for
themselves, unless an administrator has linked one to the person that older keys and drafts name.
"""

from typing import NamedTuple

from sqlalchemy import Connection, insert, or_, select, update
from sqlalchemy.engine import RowMapping

from policy_store import sessions
from policy_store.change import Change
from policy_store.errors import NotFound, Refused
from policy_store.tables import api_keys, people


class Account(NamedTuple):
    """Who signs in at a provider. At most 300 and 255 characters."""

    issuer: str
    subject: str


class Person(NamedTuple):
    """``name``: what the provider said first; ``person``: who that is here."""

    name: str
    person: str
    issuer: str | None
    subject: str | None
    created_ms: int
    seen_ms: int | None

    @property
    def account(self) -> Account | None:
        """Whose name it is; None while nobody has come by it."""
        return None if self.issuer is None or self.subject is None else Account(self.issuer, self.subject)


def is_same(one: str, other: str) -> bool:
    """Whether two names are of one person: letters may differ in case, as they do in addresses."""
    return one.casefold() == other.casefold()


def of_account(connection: Connection, account: Account) -> Person | None:
    """The person of an account that has been here before."""
    wanted = select(people).where(people.c.issuer == account.issuer, people.c.subject == account.subject)
    return _person(connection.execute(wanted).mappings().one_or_none())


def get(connection: Connection, name: str) -> Person | None:
    """A person by the name that the provider says."""
    return _person(connection.execute(select(people).where(people.c.name == name)).mappings().one_or_none())


def _person(row: RowMapping | None) -> Person | None:
    return None if row is None else Person(**row)


def arrived(change: Change, account: Account, name: str) -> Person:
    """Who signs in by an account; its name is bound to it when it comes first. The change is the store's own.

    Raises Refused for a name that is bound to another account.
    """
    known = of_account(change.connection, account)
    if known is not None:
        return _set(change, known._replace(seen_ms=change.now_ms))
    found = get(change.connection, name)
    if found is None:
        made = Person(name, name, *account, change.now_ms, change.now_ms)
        change.connection.execute(insert(people).values(**made._asdict()))
    elif found.account is not None:
        raise Refused("name_taken", "the provider's name for you belongs to another of its accounts here; "
                      "an administrator can free it: spendgate admin people free NAME")  # fmt: skip
    else:
        made = _set(change, found._replace(issuer=account.issuer, subject=account.subject, seen_ms=change.now_ms))
    change.note("bind", f"name {name}", None, {"person": made.person, **account._asdict()})
    return made


def link(change: Change, name: str, person: str) -> Person:
    """From now on who signs in by a name is this person; sessions as who they were are over. The change is the store's
    own."""
    found = get(change.connection, name)
    if found is None:
        made = Person(name, person, None, None, change.now_ms, None)
        change.connection.execute(insert(people).values(**made._asdict()))
    else:
        made = _set(change, found._replace(person=person))
        sessions.end_by_provider(change, found.person)
    change.note("link", f"name {name}", found and {"person": found.person}, {"person": person})
    return made


def free(change: Change, name: str) -> Person:
    """Forget which account a name is bound to: the next that comes by it is it. Raises NotFound."""
    found = get(change.connection, name)
    if found is None:
        raise NotFound(f"name {name}: nobody has signed in by it")
    made = _set(change, found._replace(issuer=None, subject=None))
    change.note("free", f"name {name}", {"issuer": found.issuer, "subject": found.subject}, None)
    return made


def listed(connection: Connection) -> list[Person]:
    """Everybody, by name."""
    return [Person(**row) for row in connection.execute(select(people).order_by(people.c.name)).mappings()]


def unlinked(connection: Connection, now_ms: int) -> list[str]:
    """Who has keys and is nobody whom a provider knows: the same people, maybe, under another name."""
    known = {each.person.casefold() for each in listed(connection)}
    valid = or_(api_keys.c.expires_ms.is_(None), api_keys.c.expires_ms > now_ms)
    wanted = select(api_keys.c.person).where(api_keys.c.revoked_ms.is_(None), valid, api_keys.c.role != "ingest")
    found = connection.execute(wanted.distinct().order_by(api_keys.c.person)).scalars()
    return [person for person in found if person.casefold() not in known]


def _set(change: Change, person: Person) -> Person:
    change.connection.execute(update(people).where(people.c.name == person.name).values(**person._asdict()))
    return person
