"""Who comes in gets a session, who does not leaves a row in the trail. What is here waits for the database."""

from dataclasses import dataclass

from gateway_shadow.callers import Caller
from gateway_shadow.login.config import LoginConfig, OidcConfig
from gateway_shadow.login.grants import NotAdmitted, grants_of, groups_of, name_of
from gateway_shadow.login.provider import Arrived
from gateway_shadow.login.secrets import Secrets
from policy_store import api_keys, audit, people, sessions, tenants
from policy_store.change import Changes
from policy_store.errors import Refused
from policy_store.people import Account
from policy_store.sessions import Begun, Grant, Session, Terms

DOOR = "(door)"
"""Who writes what nobody has proven to be."""
MOST_SUBJECT_CHARS = 255
"""Of OpenID Connect Core 1.0, section 2."""


@dataclass
class Arrivals:
    """Begins sessions."""

    changes: Changes
    config: LoginConfig
    secrets: Secrets

    def by_key(self, caller: Caller) -> Begun:
        """A session of a key's person, in its role; it ends with the key. Raises NotAdmitted."""
        if caller.role == "ingest":
            raise NotAdmitted("for_senders", "expected a key of a person; this one is for senders of events")
        with self.changes.of(caller.tenant, caller.person) as change:
            terms = Terms(self._idle_ms, change.now_ms + self._lasts_ms, key_id=caller.key_id)
            return sessions.begin(change, caller.person, [Grant(caller.tenant, caller.role)], terms)

    def by_provider(self, arrived: Arrived, oidc: OidcConfig) -> Begun:
        """A session of a provider's person, with all that their groups give. Raises NotAdmitted."""
        grants = self._grants(arrived, oidc)
        name = name_of(arrived.claims, oidc.person_claim, takes_unverified=oidc.takes_unverified_email)
        person = self._person(Account(oidc.issuer, arrived.subject), name)
        with self.changes.of(grants[0].tenant, person) as change:
            terms = Terms(
                self._idle_ms, change.now_ms + self._lasts_ms, rules=oidc.rules_sha256,
                id_token_sealed=self.secrets.sealed(arrived.id_token),
            )  # fmt: skip
            return sessions.begin(change, person, grants, terms)

    def _grants(self, arrived: Arrived, oidc: OidcConfig) -> list[Grant]:
        given = grants_of(groups_of(arrived.claims, oidc.groups_claim), oidc.rules)
        with self.changes.database.read() as connection:
            found = [each for each in given if tenants.get(connection, each.tenant) is not None]
        if not found:
            raise NotAdmitted(
                "no_role", f"the provider knows you, and none of your groups (`{oidc.groups_claim}`) gives a role here"
            )
        return found

    def _person(self, account: Account, name: str) -> str:
        if len(account.subject) > MOST_SUBJECT_CHARS:
            raise NotAdmitted("bad_subject", f"expected a subject of at most {MOST_SUBJECT_CHARS} characters")
        try:
            with self.changes.of(audit.SYSTEM, DOOR) as change:
                return people.arrived(change, account, name).person
        except Refused as error:
            raise NotAdmitted(error.code, str(error)) from None

    def replaced(self, session: Session | None) -> None:
        """End the session that a browser had before."""
        if session is not None:
            try:
                with self.changes.of(session.tenant, session.person) as change:
                    sessions.end(change, session.id, "signed in anew")
            except Refused:
                pass  # over in this very moment

    def refused(self, error: NotAdmitted, arrived: Arrived) -> None:
        """Note in the store's own trail whom the provider knows, and who was not let in."""
        after = {"code": error.code, "subject": arrived.subject[:MOST_SUBJECT_CHARS]}
        with self.changes.of(audit.SYSTEM, DOOR) as change:
            change.note("refused", "sign-in by the provider", None, after, str(error))

    def refused_key(self, text: str) -> None:
        """Note in a tenant's trail that a key of it was used to sign in, and is wrong or over; of no key: nothing."""
        parts = api_keys.parse(text)
        if parts is None:
            return
        with self.changes.database.read() as connection:
            key = api_keys.get(connection, parts.id)
        if key is not None:
            with self.changes.of(key.tenant, DOOR) as change:
                change.note("refused", f"sign-in with key {key.id}", None, None, "the key is wrong or over")

    @property
    def _idle_ms(self) -> int:
        return self.config.idle_s * 1000

    @property
    def _lasts_ms(self) -> int:
        return self.config.session_s * 1000
