"""Calls that an enforced policy holds for a person: put into the review queue, and let go once they are approved."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from policy_store import reviews
from policy_store.asked_reviews import asked, review_id
from policy_store.change import now_ms
from policy_store.database import Database
from policy_store.errors import StoreAway
from spendgate.model.decision import Decision
from spendgate.model.policy import Policy
from spendgate.model.review import Outcome

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeldCalls:
    """The queue, as the check uses it."""

    database: Database

    async def outcomes(self, held: Decision, policies: Mapping[str, Policy]) -> dict[str, Outcome]:
        """Put a held call into the queue, once for each staging that holds it; by staging, what has been answered.

        While the store is away nothing is: asked again, the call comes into the queue then.
        """
        try:
            return await asyncio.to_thread(self._outcomes, held, policies)
        except StoreAway as error:
            log.warning("a held call waits for the store: %s", error)
            return {}

    def _outcomes(self, held: Decision, policies: Mapping[str, Policy]) -> dict[str, Outcome]:
        rows = list(asked(held, lambda _, staging: policies.get(staging)))
        with self.database.begin() as connection:
            reviews.add_new(connection, rows, now_ms())
            known = [reviews.require(connection, each.tenant, each.id) for each in rows]
        found = {each.staging: reviews.outcome_of(each) for each in known}
        return {staging: outcome for staging, outcome in found.items() if outcome is not None}


def review_ids(held: Decision) -> list[str]:
    """The reviews that a held call waits for."""
    return [review_id(held.decision_id, staging) for staging in dict.fromkeys(each.staging for each in held.reasons)]
