"""Sentinels: secrets in every place of a request that is not on the allow-list, in every privacy mode, which must be
found nowhere afterwards: not in Kafka, Redis, a SQL database, the ledger, a log or an answer, as they were or encoded.
Where a mode keeps content it is told to whoever may read it, and to nobody else."""

import base64
import gzip
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest
from redis import Redis
from sqlalchemy import select

from content_store.tables import contents as rows
from policy_store import gateway_keys, privacy
from policy_store.api_keys import Role
from policy_store.master_keys import read_master_key_file
from spendgate.ledger.delta_reader import Ledger
from spendgate.model.event import PrivacyMode
from spendgate.model.privacy import DEFAULT, MODES
from spendgate.model.privacy_settings import PrivacySettings
from tests.door.conftest import TENANT, Door
from tests.door.test_adapters import as_otlp_json, call, exported, litellm
from tests.door.test_end_to_end import door_onto, settle, stage
from tests.live.conftest import make_world, world
from tests.live.samples import budget, policy
from tests.live.test_ledger import settle_ledger
from tests.live.waiting import until
from tests.live.world import World
from tests.privacy.signing import new_gateway, signed
from tests.privacy.test_redaction import make_model

__all__ = ["make_world", "world"]

KEPT = f"kept{token_hex(8)}"
"""Stands where it may stand, and must be found: else the scan would find nothing at all."""


STEM = "sentinel"
"""What every secret begins with."""


class Sentinels:
    """Makes secrets, and looks for them."""

    def __init__(self) -> None:
        self.planted: list[str] = []
        self.names: list[str] = []

    def new(self) -> str:
        """A secret that stands nowhere else."""
        self.planted.append(f"{STEM}{token_hex(8)}")
        return self.planted[-1]

    def name(self) -> str:
        """A secret as the name of a field. One that looks like an identifier is told to its sender, and to nobody else:
        who misspells a field must learn which."""
        self.names.append(f"{STEM}{token_hex(8)}")
        return self.names[-1]

    def text(self) -> str:
        """A sentence with a secret in it."""
        return f"the patient said {self.new()}, and left"

    def everywhere(self) -> Any:
        """Secrets as text, as a name, deep down, escaped and encoded."""
        return {
            self.name(): self.text(),
            "deep": [{"deeper": {self.text(): [self.text()]}}],
            "base64": base64.b64encode(self.text().encode()).decode(),
            "hex": self.text().encode().hex(),
            "url": quote(self.text()),
        }


def spellings(secret: str) -> Iterator[bytes]:
    """The bytes of a secret as they may stand somewhere."""
    plain = secret.encode()
    yield plain
    yield plain.hex().encode()
    yield secret.encode("utf-16-le")
    yield "".join(f"\\u{ord(each):04x}" for each in secret).encode()
    for shift in range(3):  # whichever byte of three it begins at
        yield base64.b64encode(b"x" * shift + plain)[4:-4]


def leaks(secret: str, places: Mapping[str, bytes]) -> list[str]:
    """The places that hold a secret."""
    return [name for name, found in places.items() if any(each in found for each in spellings(secret))]


def of_stems() -> re.Pattern[bytes]:
    """The beginning of any secret, however it is spelt."""
    plain = STEM.encode()
    stems = [plain, plain.hex().encode(), STEM.encode("utf-16-le"), "".join(f"\\u{ord(c):04x}" for c in STEM).encode()]
    for shift in range(3):
        whole = (shift + len(plain)) // 3 * 4
        stems.append(base64.b64encode(b"x" * shift + plain)[4:whole])
    return re.compile(b"|".join(map(re.escape, stems)))


def suspicious(places: Mapping[str, bytes]) -> dict[str, bytes]:
    """Of each place what stands where a secret may begin: there are thousands of secrets, and megabytes of places."""
    longest = max(map(len, spellings(Sentinels().new())))
    stems = of_stems()
    return {
        name: b"\n".join({found[at.start() : at.start() + longest] for at in stems.finditer(found)})
        for name, found in places.items()
    }


Request = tuple[str, dict[str, str], bytes]
JSON = {"content-type": "application/json"}


def our_own(s: Sentinels) -> Iterator[Request]:
    """Events, with more than an event has; good ones among them."""
    names = ("prompt", "messages", "response", "completion", "system", "metadata", "tags", "input", "output")
    bad = [call(n, **{name: s.everywhere()}) for n, name in enumerate(names)]
    bad += [
        call(20, **{s.name(): 1}),
        call(21, **{s.text(): 1}),
        call(22, team=s.text()),
        call(23, model={"m": s.text()}),
    ]
    bad += [
        call(24, outcome=s.new()),
        call(25, time=s.text()),
        call(26, cost_nano_usd=s.text()),
        call(27, tenant=s.new()),
    ]
    bad += [call(28, kind=s.new()), call(29, evidence_status=s.new()), call(30, input_tokens=s.text())]
    bad += [call(31, privacy_mode=s.new()), call(32, content=s.text()), call(33, content={s.name(): s.text()})]
    bad += [
        call(34, team=s.text(), content={"prompt": s.everywhere()}),
        call(35, prompt=1, content={"prompt": s.text()}),
    ]
    items = [*bad, call(99, team=KEPT, time=datetime.now(UTC).isoformat())]
    yield "/v1/events", JSON, json.dumps(items).encode()
    yield "/v1/events", {"content-type": "application/x-ndjson"}, "\n".join(map(json.dumps, items)).encode()
    yield "/v1/events", {**JSON, "content-encoding": "gzip"}, gzip.compress(json.dumps(items).encode())
    escaped = "".join(f"\\u{ord(each):04x}" for each in s.text())
    yield "/v1/events", JSON, f'{{"id": "e1", "time": "2026-05-01T10:00:00Z", "prompt": "{escaped}"}}'.encode()
    for body in (s.text(), f'{{"id": "{s.text()}', f'["{s.text()}"]', f"[{s.new()}]", json.dumps(s.text())):
        yield "/v1/events", JSON, body.encode()
    yield "/v1/events", {"content-type": s.new()}, s.text().encode()
    yield "/v1/events", {**JSON, "content-encoding": s.new()}, s.text().encode()
    yield "/v1/events", {**JSON, "content-encoding": "gzip"}, s.text().encode()
    yield f"/v1/events?{s.new()}={s.new()}", {**JSON, s.name(): s.text()}, s.text().encode()
    yield f"/v1/{s.new()}", JSON, s.text().encode()
    for headers in (
        {"x-spendgate-privacy": s.new()},
        {"signature-input": f'sig=("@method");tag="spendgate";keyid="{s.new()}"', "signature": s.text()},
        {"signature-input": f"spendgate{s.text()}", "content-digest": s.text()},
    ):
        yield "/v1/events", {**JSON, **headers}, json.dumps([call(50, content={"prompt": s.text()})]).encode()


def handed_over(s: Sentinels) -> Iterator[Request]:
    """Content where it belongs, which modes keep or not."""
    content = {"prompt": s.everywhere(), "response": [{"role": "assistant", "content": s.text()}]}
    items = [call(60, content=content), call(61, content={"prompt": s.text()}), call(62, content={"response": s.new()})]
    yield "/v1/events", JSON, json.dumps(items).encode()
    yield "/v1/events", {"content-type": "application/x-ndjson"}, "\n".join(map(json.dumps, items)).encode()
    yield "/v1/events", {**JSON, "x-spendgate-privacy": "metadata_only"}, json.dumps(items).encode()
    own = {"specversion": "1.0", "id": "own", "source": "app", "type": "spendgate.call", "time": call()["time"]}
    cloud = {"content-type": "application/cloudevents+json"}
    yield "/v1/events", cloud, json.dumps({**own, "data": {"content": content}}).encode()


def cloud_events(s: Sentinels) -> Iterator[Request]:
    """The three modes; usage events and our own."""
    data = {"tokens": "11", "model": "gpt-5", "type": "input", "provider": "openai"}
    usage = {
        "specversion": "1.0", "id": "c1", "source": "/gw", "type": "prompt", "subject": "customer-1",
        "time": "2026-05-01T10:00:00Z", "data": {**data, "messages": s.everywhere(), s.name(): s.text()},
        s.name(): s.text(), "dataschema": s.text(),
    }  # fmt: skip
    own = {**usage, "type": "spendgate.event", "data": {"cost_nano_usd": 5, "prompt": s.text(), s.name(): 1}}
    bad = {**usage, "specversion": s.new()}
    for item in (usage, own, bad, {**usage, "time": s.text()}, {**usage, "data_base64": s.text()}):
        yield "/v1/events", {"content-type": "application/cloudevents+json"}, json.dumps(item).encode()
    batch = {"content-type": "application/cloudevents-batch+json"}
    yield "/v1/events", batch, json.dumps([usage, own, bad, s.text()]).encode()
    headers = {"ce-specversion": "1.0", "ce-id": "b1", "ce-source": "gw", "ce-type": "prompt", f"ce-{s.new()}": s.new()}
    yield "/v1/events", {**JSON, **headers}, json.dumps({**data, "messages": s.everywhere()}).encode()
    yield "/v1/events", {**JSON, **headers}, s.text().encode()


def of_litellm(s: Sentinels) -> Iterator[Request]:
    """Its callback, good and bad, in its framings."""
    content = {"messages": s.everywhere(), "response": s.everywhere(), "error_str": s.text(), s.name(): s.text()}
    items = [
        litellm(n, **content, metadata={"requester_metadata": s.everywhere(), s.name(): s.text()}, model_parameters=
                s.everywhere(), standard_built_in_tools_params=s.everywhere())
        for n in range(3)
    ]  # fmt: skip
    items += [litellm(4, **content, startTime=s.text()), litellm(5, **content, id=None, litellm_call_id=None)]
    for body in (json.dumps(items), "\n".join(map(json.dumps, items)), json.dumps({"data": items}), s.text()):
        yield "/v1/ingest/litellm", {}, body.encode()


def of_otlp(s: Sentinels) -> Iterator[Request]:
    """Spans in both forms."""
    request = exported()
    for group in request.resource_spans:
        group.resource.attributes.add(key=s.new()).value.string_value = s.text()
        for span in (each for scope in group.scope_spans for each in scope.spans):
            for name in (
                "gen_ai.input.messages",
                "gen_ai.output.messages",
                "gen_ai.prompt",
                "gen_ai.tool.call",
                s.new(),
            ):
                span.attributes.add(key=name).value.string_value = s.text()
            span.attributes.add(key="gen_ai.system_instructions").value.array_value.values.add().string_value = s.text()
            event = span.events.add(name=s.text())
            event.attributes.add(key=s.new()).value.string_value = s.text()
            span.name, span.status.message, span.trace_state = s.text(), s.text(), s.new()
    yield "/v1/traces", {"content-type": "application/x-protobuf"}, request.SerializeToString()
    yield "/v1/traces", JSON, as_otlp_json(request)
    yield "/v1/traces", {"content-type": "application/x-protobuf"}, s.text().encode()
    yield "/v1/traces", JSON, json.dumps({"resourceSpans": s.everywhere()}).encode()


def of_checks(s: Sentinels) -> Iterator[Request]:
    """Questions."""
    for question in ({"prompt": s.text()}, {s.name(): 1}, {"team": s.text()}, {"input_tokens": s.text()}, [s.text()]):
        yield "/v1/check", JSON, json.dumps(question).encode()
    headers = {"x-spendgate-team": s.text(), "x-spendgate-prompt": s.new(), "x-spendgate-input-tokens": s.new()}
    yield f"/v1/ext_authz/v1/{s.new()}?{s.new()}={s.new()}", {**headers, "cookie": s.new()}, s.text().encode()


def of_managing(s: Sentinels) -> Iterator[Request]:
    """What an editor may write, wrongly."""
    for body in (s.text(), f"kind: {s.text()}\n{s.name()}: 1", json.dumps({"metadata": s.everywhere()})):
        yield "/v1/policies", {"content-type": "application/yaml"}, body.encode()
    yield f"/v1/policies/{s.new()}/stagings", JSON, json.dumps({"hash": s.text(), s.name(): s.text()}).encode()


def of_privacy(s: Sentinels) -> Iterator[Request]:
    """What an operator, or whoever may read content, may ask wrongly."""
    for where in ("contents/read", "contents/erase", "gateways", "keys/rotate", f"keys/{s.new()}/destroy"):
        wrong = {"source": s.text(), "id": s.text(), "name": s.text(), "public": s.text(), s.name(): s.text()}
        yield f"/v1/privacy/{where}", JSON, json.dumps({**wrong, "why": "x"}).encode()
    yield "/v1/privacy/fingerprints", JSON, json.dumps({"content": s.everywhere(), "why": "to compare"}).encode()


SENDERS = (our_own, handed_over, cloud_events, of_litellm, of_otlp, of_checks)


def send_all(client: httpx.Client, requests: list[Request], auth: Any = None) -> bytes:
    """Send them; all that was answered. ``auth``: signs them; each is sent once more as it was signed, and once with
    another body."""
    answered = b""
    for path, headers, body in requests:
        if auth is None:
            answered += said_by(client.post(path, content=body, headers=headers))
            continue
        first = signed(auth, client.build_request("POST", path, content=body, headers=headers))
        forged = httpx.Request("POST", first.url, content=body[:-1] + b" ", headers=first.headers)
        answered += b"".join(said_by(client.send(each)) for each in (first, first, forged))
    return answered


def said_by(answer: httpx.Response) -> bytes:
    """All that an answer holds."""
    assert answer.status_code < 500, (answer.request.url, answer.text)
    return answer.content + repr(answer.headers.raw).encode()


def tenant_of(mode: PrivacyMode) -> str:
    """Whose calls have this mode."""
    return TENANT if mode == DEFAULT else f"of-{mode}"


def set_modes(door: Door, folder: Path) -> Any:
    """A tenant of each mode; what signs for the one with a gateway."""
    master = read_master_key_file(door.folder / "master.key")
    keys = {mode: door.key("ingest", tenant=tenant_of(mode)) for mode in MODES}
    auth, public = new_gateway(folder, keys["private_gateway"])
    for mode in MODES:
        with door.changes().of(tenant_of(mode), "root") as change:
            if mode == "private_gateway":
                gateway_keys.add(change, "gateway", public)
            wanted = PrivacySettings(mode=mode)
            privacy.set_settings(change, wanted, revision=0, why="the test", master=master, keeps=True)
    return auth


def send_in_every_mode(door: Door, folder: Path, s: Sentinels) -> bytes:
    """Everything that a sender may send, in every mode, with fresh secrets each time; also without a key."""
    auth, answered = set_modes(door, folder), b""
    for mode in MODES:
        requests = [each for make in SENDERS for each in make(s)]
        with door.as_("ingest", tenant=tenant_of(mode)) as client:
            if mode == "redacted_trace":
                until(lambda: is_redacted(client), "the redactor to begin")
            answered += send_all(client, requests)
            if mode == "private_gateway":
                answered += send_all(client, [each for make in SENDERS for each in make(s)], auth)
    with httpx.Client(base_url=door.url, timeout=30) as nobody:
        return answered + send_all(nobody, [each for make in SENDERS for each in make(s)])


_numbers = itertools.count(1000)


def is_redacted(client: httpx.Client) -> bool:
    """Whether content is redacted by now; before, it would not be kept."""
    answer = client.post("/v1/events", json=call(next(_numbers), content={"prompt": "hello"}))
    return "content_refused" not in answer.json()


def read_all(door: Door, mode: PrivacyMode) -> bytes:
    """What a mode has kept, as whoever may read it is told."""
    contents = door.contents()
    with contents.database.read() as connection:
        wanted = select(rows.c.source, rows.c.event_id).where(rows.c.tenant == tenant_of(mode))
        kept = connection.execute(wanted).all()
    contents.close()
    with door.as_("content", tenant=tenant_of(mode)) as client:
        asked = [{"source": each.source, "id": each.event_id, "why": "the test"} for each in kept]
        return b"".join(client.post("/v1/privacy/contents/read", json=each).content for each in asked)


def of_redis(url: str) -> bytes:
    """Every key, field, member and value."""
    found = b""
    with Redis.from_url(url) as client:
        for key in client.scan_iter(count=10_000):
            kind = cast("bytes", client.type(key))
            held: Any = None
            if kind == b"string":
                held = client.get(key)
            elif kind == b"hash":
                held = client.hgetall(key)
            elif kind == b"set":
                held = client.smembers(key)
            elif kind == b"zset":
                held = client.zrange(key, 0, -1)
            found += key + repr(held).encode()
    return found


def of_ledger(root: Path) -> bytes:
    """Every row of every table, and the files themselves."""
    ledger = Ledger.open(root)
    rows = [
        repr(batch.to_pylist()).encode()
        for tenant in ledger.tenants()
        for batches in (
            ledger.event_batches(tenant),
            ledger.decision_batches(tenant),
            ledger.activation_batches(tenant),
        )
        for batch in batches
    ]
    return b"".join([*rows, *(path.read_bytes() for path in root.rglob("*") if path.is_file())])


def of_kafka(world: World, door: Door) -> bytes:
    """Every message of every topic."""
    topics = (world.topics.events, world.topics.decisions, world.topics.policies, world.topics.rejected)
    rows = [row for topic in topics for row in world.broker.read(topic)] + door.rows("checks")
    return b"".join((row.key or b"") + (row.value or b"") for row in rows)


@pytest.fixture
def watched(world: World, tmp_path: Path) -> Iterator[Door]:
    """A door that checks, onto a world with a worker and both ledger agents."""
    door = door_onto(
        world, tmp_path, SPENDGATE_REDIS=world.redis_url, SPENDGATE_LEDGER=str(world.ledger),
        SPENDGATE_PRIVACY_MODEL=str(make_model(tmp_path / "model")),
    )  # fmt: skip
    trusted = {"SPENDGATE_DEV": "", "SPENDGATE_STORE_KEYS": door.signer.public}
    world.worker(**trusted)
    for role in ("ledger-events", "ledger-decisions"):
        world.recorder(role, **trusted)
    yield door
    door.stop(kill=True)
    door.database.close()


def test_no_secret_outside_the_allow_list_is_found_anywhere(world: World, watched: Door, tmp_path: Path) -> None:
    s = Sentinels()
    stage(watched, world, policy("per-team", budget("5", {"calendar": "month", "timezone": "UTC"}, ["team"])))
    settle(watched, world)
    answered = send_in_every_mode(watched, tmp_path, s)
    wrong: list[tuple[Role, Iterator[Request]]] = [
        ("editor", of_managing(s)), ("operator", of_privacy(s)), ("content", of_privacy(s)),
    ]  # fmt: skip
    for role, requests in wrong:
        with watched.as_(role) as client:
            answered += send_all(client, list(requests))
    told = {mode: read_all(watched, mode) for mode in MODES}
    settle(watched, world)
    settle_ledger(world)
    watched.stop()
    logs = [watched.output, *tmp_path.rglob("*.log"), *world.folder.rglob("*.log")]
    places = {
        "kafka": of_kafka(world, watched),
        "redis": of_redis(world.redis_url),
        "sql": b"".join(path.read_bytes() for path in tmp_path.glob("store.db*")),
        "contents": b"".join(path.read_bytes() for path in tmp_path.glob("contents.db*")),
        "ledger": of_ledger(world.ledger),
        "logs": b"".join(path.read_bytes() for path in logs),
        "answers": answered,
    }
    assert leaks(KEPT, places) == ["kafka", "redis", "ledger"]
    for word, where in (
        (TENANT, ["kafka", "redis", "sql", "ledger"]),
        ("redacted_trace", ["kafka", "sql", "contents"]),
    ):
        assert [name for name in where if word.encode() not in places[name]] == []
    assert len(s.planted) > 1000
    kept = {mode: sum(bool(leaks(secret, {mode: told[mode]})) for secret in s.planted) for mode in MODES}
    assert [mode for mode, count in kept.items() if count] == ["redacted_trace", "full_trace"]
    assert kept["full_trace"] > 20
    looked_at = suspicious(places)
    assert {secret: found for secret in s.planted if (found := leaks(secret, looked_at))} == {}
    assert any(leaks(secret, looked_at) for secret in s.names), "a sender is told which field it has misspelt"
    del looked_at["answers"]
    assert {secret: found for secret in s.names if (found := leaks(secret, looked_at))} == {}


@pytest.mark.parametrize(
    "encoded",
    [
        str.encode,
        lambda s: s.encode().hex().encode(),
        lambda s: s.encode("utf-16-le"),
        lambda s: "".join(f"\\u{ord(each):04x}" for each in s).encode(),
        *(lambda s, n=n: base64.b64encode(f"{'ab'[:n]}{s}cd".encode()) for n in range(3)),
    ],
)
def test_the_scan_finds_a_secret_however_it_is_spelt(encoded: Any) -> None:
    secret = Sentinels().new()
    places = {"here": b"..." * 99 + encoded(secret) + b"..." * 99, "there": b"nothing"}
    assert leaks(secret, places) == leaks(secret, suspicious(places)) == ["here"]
