"""The one place that decides, by a call's mode, what happens to what was said in it.

| mode | content that was handed over | content that was met | the event gets |
| --- | --- | --- | --- |
| private_gateway, metadata_only | the item is refused | left behind, named | its mode |
| fingerprint_only | fingerprinted, left behind | the same | its mode and fingerprints |
| redacted_trace, full_trace | fingerprinted, to be kept | the same | the same |

An event is never lost for its content: what cannot be kept is set aside with its reason, and the event then says
``fingerprint_only``, for that is what was done.
"""

from dataclasses import dataclass, field

from gateway_shadow.adapters.events import CONTENT
from gateway_shadow.adapters.found import Content, Found, ItemProblem
from gateway_shadow.privacy.fingerprints import NoJson, Secret, canonical, fingerprint
from gateway_shadow.privacy.resolving import Resolver
from spendgate.model.event import Event, PrivacyMode
from spendgate.model.privacy import MODES, Permits, permits

MOST_BYTES = 2**20
"""Of one call's content, as JSON."""
FALLEN_BACK: PrivacyMode = "fingerprint_only"
_PERMITS: dict[PrivacyMode, Permits] = {mode: permits(mode) for mode in MODES}


@dataclass
class ToKeep:
    """Content that a mode keeps: ``plain`` is the JSON object of prompt and response."""

    event: Event
    place: int | None
    plain: bytes = field(repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether it is kept as it is; else it is to be redacted first."""
        return _PERMITS[self.event.privacy_mode or FALLEN_BACK].whole


@dataclass
class Handled:
    """Events as they go onto the log, items that were refused, content to be kept, and why some is not (``aside``)."""

    events: list[Event] = field(default_factory=list)
    problems: list[ItemProblem] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    to_keep: list[ToKeep] = field(default_factory=list)
    aside: list[ItemProblem] = field(default_factory=list)

    def set_aside(self, wanted: ToKeep, expected: str) -> None:
        """Content that cannot be kept; its event goes on without."""
        wanted.event.privacy_mode = FALLEN_BACK
        self.aside.append(ItemProblem(wanted.place, CONTENT, expected))


def handle(
    found: Found, resolver: Resolver, secret: Secret | None, asked: PrivacyMode | None, *, is_signed: bool
) -> Handled:
    """Decide on all that an adapter has found. ``secret``: the tenant's key of fingerprints."""
    plain = resolver.of_all(asked)
    if plain is not None and (is_signed or _PERMITS[plain].unsigned) and _is_plain(found):
        return _as_they_are(found, plain)
    handled = Handled(problems=list(found.problems))
    used: set[str] = set()
    left: set[str] = set()
    for index, (event, place) in enumerate(zip(found.events, found.places, strict=True)):
        mode = resolver.of_event(event, asked)
        content = found.contents.get(index)
        problem = _refusal(mode, content, is_signed=is_signed)
        if problem is not None:
            handled.problems.append(ItemProblem(place, *problem))
            continue
        event.privacy_mode = mode
        handled.events.append(event)
        if content is not None:
            taken = secret is not None and _PERMITS[mode].fingerprints and _take(handled, event, place, content, secret)
            (used if taken else left).update(content.names)
    handled.dropped = [name for name in found.dropped if name not in used or name in left]
    return handled


def _is_plain(found: Found) -> bool:
    """Whether no item has content, or a mode of its own."""
    return not found.contents and all(event.privacy_mode is None for event in found.events)


def _as_they_are(found: Found, mode: PrivacyMode) -> Handled:
    """Events without content that all have one mode: what most bodies hold, so it is to be quick."""
    for event in found.events:
        event.privacy_mode = mode
    return Handled(found.events, found.problems, found.dropped)


def _refusal(mode: PrivacyMode, content: Content | None, *, is_signed: bool) -> tuple[str, str] | None:
    """The field that keeps an item from being taken, and what was expected there."""
    if not is_signed and not _PERMITS[mode].unsigned:
        return "signature", f"a body that a gateway of the tenant has signed (mode {mode})"
    if content is not None and content.is_handed_over and not _PERMITS[mode].fingerprints:
        return CONTENT, f"no content under the mode {mode}"
    return None


def _take(handled: Handled, event: Event, place: int | None, content: Content, secret: Secret) -> bool:
    """Fingerprint content, and have it kept where the mode keeps any; whether it could be read."""
    try:
        prompt, response = (None if each is None else canonical(each) for each in (content.prompt, content.response))
    except NoJson:
        handled.aside.append(ItemProblem(place, CONTENT, "JSON that is not nested too deeply, of numbers that exist"))
        event.privacy_mode = FALLEN_BACK
        return False
    if prompt is not None:
        event.prompt_fingerprint = fingerprint(secret, prompt)
    if response is not None:
        event.response_fingerprint = fingerprint(secret, response)
    if _PERMITS[event.privacy_mode or FALLEN_BACK].redacted:
        wanted = ToKeep(event, place, b'{"prompt":%b,"response":%b}' % (prompt or b"null", response or b"null"))
        if len(wanted.plain) > MOST_BYTES:
            handled.set_aside(wanted, f"at most {MOST_BYTES} bytes")
        else:
            handled.to_keep.append(wanted)
    return True
