"""Content that a mode keeps, on its way into the content store: redacted where it has to be, encrypted, put."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi.concurrency import run_in_threadpool

from content_store.cipher import About, seal
from content_store.store import ContentStore, Kept
from gateway_shadow import metrics
from gateway_shadow.privacy.desk import TenantPrivacy
from gateway_shadow.privacy.fingerprints import Secret
from gateway_shadow.privacy.handling import FALLEN_BACK, Handled, ToKeep
from gateway_shadow.privacy.redactor import Redactor
from policy_store.errors import StoreAway

AWAY = "a content store that answers"


@dataclass
class Keeper:
    """Keeps content, before its events go onto the log: so no event says that something was kept which was not."""

    store: ContentStore
    redactor: Redactor

    def prepare(self, privacy: TenantPrivacy) -> None:
        """Have the redactor ready for a tenant that needs it."""
        if privacy.resolver.redacts:
            self.redactor.prepare()

    async def keep(self, handled: Handled, privacy: TenantPrivacy, now_ms: int) -> None:
        """All that is to be kept. What cannot be is set aside, and its event goes on without."""
        await self._redact(handled)
        if not handled.to_keep or privacy.contents is None:
            return
        until_ms = now_ms + privacy.retention_ms
        try:
            await run_in_threadpool(self._put, handled.to_keep, privacy.contents, now_ms, until_ms)
        except StoreAway:
            for each in handled.to_keep:
                handled.set_aside(each, AWAY)
            return
        for each in handled.to_keep:
            metrics.CONTENTS_KEPT.labels(each.event.privacy_mode or FALLEN_BACK).inc()

    async def _redact(self, handled: Handled) -> None:
        wanted = [each for each in handled.to_keep if not each.is_whole]
        if not wanted:
            return
        handled.to_keep = [each for each in handled.to_keep if each.is_whole]
        answers = await self.redactor.redacted([each.plain for each in wanted])
        for each, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, bytes):
                each.plain = answer
                handled.to_keep.append(each)
            else:
                handled.set_aside(each, answer)

    def _put(self, wanted: Sequence[ToKeep], key: Secret, now_ms: int, until_ms: int) -> None:
        self.store.put([_sealed(each, key, now_ms, until_ms) for each in wanted])


def _sealed(wanted: ToKeep, key: Secret, now_ms: int, until_ms: int) -> Kept:
    event = wanted.event
    about = About(event.tenant, event.source, event.id, event.privacy_mode or FALLEN_BACK, now_ms, until_ms, key.id)
    return Kept(about, seal(key.key, wanted.plain, about))
