"""An alert on its way out: where it may go, what is said, and that a target can redirect nothing."""

import asyncio
import ipaddress
import json
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dev.ports import free_port
from gateway_shadow.alerting import messages
from gateway_shadow.alerting.addresses import Allowed, BadUrl, is_public
from gateway_shadow.alerting.sending import Sender, answered, retry_after_ms
from gateway_shadow.config import Config, Misconfigured
from policy_store.alert_deliveries import Answer
from policy_store.alert_targets import Target, sealer_of
from policy_store.alerts import TRIED_MS, Alert
from policy_store.sealing import Sealer
from policy_store.signing import Signer
from tests.door.receiver import Says, receiving

ROOT = Path(__file__).resolve().parents[2]
NOW_MS = 1_780_000_000_000
SEALER: Sealer = sealer_of(Signer(Ed25519PrivateKey.generate()))
SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
OLD = "whsec_" + b64encode(bytes(range(32, 64))).decode()
ALERT = Alert(
    "alr-1", "acme", "threshold", "marketing-monthly", "stg-1", "shadow", "marketing-monthly: past 80 % of the cap",
    NOW_MS, "0" * 64, 0, "team=marketing", 80, "warn", NOW_MS - 10**9, NOW_MS + 10**9, 25 * 10**9, 19 * 10**9,
    1_050_000_000, "app", "call-1", NOW_MS - 1000, "d-1",
)  # fmt: skip


def target(url: str, kind: Any = "webhook") -> Target:
    return Target(
        "tgt-1", "acme", "ops", kind, "", SEALER.seal(url, "url of tgt-1"),
        SEALER.seal(SECRET, "secret of tgt-1") if kind == "webhook" else None, None, None, "", "", 1, True, 1, 0, None,
        0, "ann",
    )  # fmt: skip


def sent(
    url: str, allow: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None, whole_s: float = 20.0,
    kind: Any = "webhook", to: Target | None = None,
) -> Answer:  # fmt: skip
    """What comes of one attempt."""

    async def run() -> Answer:
        sender = Sender(SEALER, Allowed.parse(allow), lambda: NOW_MS, tls, whole_s)
        try:
            return await sender.send(to or target(url, kind), messages.message_of(ALERT))
        finally:
            await sender.close()

    return asyncio.run(run())


# Where it may go

HIDING: list[Callable[[IPv4Address], IPv6Address]] = [
    lambda v4: IPv6Address(f"::ffff:{v4}"),
    lambda v4: IPv6Address(f"64:ff9b::{v4}"),
    lambda v4: IPv6Address(f"::{v4}"),
    lambda v4: IPv6Address((0x2002 << 112) | (int(v4) << 80) | 1),
    lambda v4: IPv6Address((0x20010000 << 96) | (int(v4) << 64) | 0xFFFFFFFF),
    lambda v4: IPv6Address((0x20010000 << 96) | (0x08080808 << 64) | (int(v4) ^ 0xFFFFFFFF)),
]  # fmt: skip
NOT_PUBLIC = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/29",
    "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
]  # fmt: skip


def _within(network: str) -> st.SearchStrategy[IPv4Address]:
    found = ipaddress.IPv4Network(network)
    return st.integers(0, found.num_addresses - 1).map(lambda n: found[n])


@given(address=st.sampled_from(NOT_PUBLIC).flatmap(_within), hidden=st.sampled_from([None, *HIDING]))
def test_no_address_that_is_not_public_is_sent_to_wherever_it_hides(
    address: IPv4Address, hidden: Callable[[IPv4Address], IPv6Address] | None
) -> None:
    found = address if hidden is None else hidden(address)
    assert not is_public(found)
    assert not Allowed().permits("example.com", str(found), is_encrypted=True)


@pytest.mark.parametrize(
    "address",
    ["::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "100::1", "5f00::1",
     "64:ff9b:1::1", "169.254.169.254", "255.255.255.255", "not-an-address", ""],
)  # fmt: skip
def test_these_are_not_public_either(address: str) -> None:
    assert not Allowed().permits("example.com", address, is_encrypted=True)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"]
)
def test_a_public_address_is_sent_to_encrypted_alone(address: str) -> None:
    assert Allowed().permits("example.com", address, is_encrypted=True)
    assert not Allowed().permits("example.com", address, is_encrypted=False)


def test_an_operator_allows_hosts_and_networks_and_nothing_beside_them() -> None:
    allowed = Allowed.parse(" Hooks.Internal. , 10.1.0.0/16,fd00::/8,192.168.1.7 ")
    for host, address in (("hooks.internal", "10.9.9.9"), ("x", "10.1.2.3"), ("x", "fd00::1"), ("x", "192.168.1.7")):
        assert allowed.permits(host, address, is_encrypted=False), (host, address)
    for host, address in (
        ("x.hooks.internal", "10.9.9.9"),
        ("x", "10.2.0.1"),
        ("x", "192.168.1.8"),
        ("x", "127.0.0.1"),
    ):
        assert not allowed.permits(host, address, is_encrypted=True), (host, address)
    for bad in ("10.1.0.0/40", "a b", "10.1.0.1/16", "http://x", "*.internal", "1.2.3", "0x7f.1"):
        with pytest.raises(ValueError, match=r"expected hosts such as"):
            Allowed.parse(bad)


def test_the_door_says_which_setting_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA", "STORE", "STORE_KEY_FILE"):
        monkeypatch.setenv(f"SPENDGATE_{name}", "x")
    monkeypatch.setenv("SPENDGATE_ALERTS_ALLOW", "10.0.0.0/8, hooks")
    assert Config.from_environment().alerts_allow == Allowed.parse("hooks,10.0.0.0/8")
    monkeypatch.setenv("SPENDGATE_ALERTS_ALLOW", "10.0.0.0/99")
    with pytest.raises(Misconfigured, match="SPENDGATE_ALERTS_ALLOW: expected hosts such as"):
        Config.from_environment()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/x", "https"),
        ("https://10.0.0.1/x", "public"),
        ("https://[::1]/x", "public"),
        ("https://[::ffff:10.0.0.1]/", "public"),
        ("https://2130706433/", "plain form"),
        ("https://127.1/", "plain form"),
        ("https://0x7f000001/", "plain form"),
        ("https://user:password@example.com/", "no name or password"),
        ("ftp://example.com/", "such as https"),
        ("https:///x", "such as https"),
        ("https://example.com:99999/", "such as https"),
        ("https://example.com/#x", "such as https"),
        ("https://exa mple.com/", "printable"),
        ("https://ex%61mple.com/", "name of a host"),
        ("https://example.com/" + "x" * 2000, "at most 2000"),
        ("https://[::1", "such as https"),
    ],
)
def test_what_can_never_be_sent_to_is_refused_at_once_and_not_repeated(url: str, words: str) -> None:
    with pytest.raises(BadUrl) as refused:
        Allowed().require_url(url)
    assert words in str(refused.value)
    assert url not in str(refused.value)


def test_a_good_address_is_taken() -> None:
    Allowed().require_url("https://hooks.slack.com/services/T0/B0/x?y=1")
    Allowed().require_url("https://8.8.8.8:8443/")
    Allowed.parse("hooks.internal").require_url("http://hooks.internal:8080/x")
    Allowed.parse("10.0.0.0/8").require_url("http://10.0.0.1/x")
    with pytest.raises(BadUrl):
        Allowed.parse("10.0.0.0/8").require_url("http://11.0.0.1/x")


# What is said


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The specification's own example."""
    found = messages.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}'
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def verify_of_the_docs() -> Callable[..., Any]:
    """The example of docs/alerts.md, as a reader would copy it."""
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    (code,) = [each for each in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def verify" in each]
    names: dict[str, Any] = {}
    exec(code, names)
    verify: Callable[..., Any] = names["verify"]
    return verify


def test_what_is_posted_is_verified_by_the_example_of_the_docs_with_either_secret_of_a_rotation() -> None:
    both = target("")._replace(previous_sealed=SEALER.seal(OLD, "secret of tgt-1"), previous_until_ms=NOW_MS + 1)
    verify = verify_of_the_docs()
    with receiving() as receiver:
        to = both._replace(url_sealed=SEALER.seal(receiver.url(), "url of tgt-1"))
        assert sent("", to=to) == Answer(200)
        (got,) = receiver.got
    for secret in (SECRET, OLD):
        assert verify(secret, got.headers, got.body, now=NOW_MS / 1000)["data"]["alert_id"] == "alr-1"
    for headers, body, at in (
        (got.headers, got.body + b" ", NOW_MS / 1000),
        ({**got.headers, "webhook-id": "alr-2"}, got.body, NOW_MS / 1000),
        (got.headers, got.body, NOW_MS / 1000 + 600),
        ({**got.headers, "webhook-signature": "v1,AAAA"}, got.body, NOW_MS / 1000),
    ):
        with pytest.raises(ValueError):
            verify(SECRET, headers, body, now=at)
    with pytest.raises(ValueError):
        verify("whsec_" + b64encode(b"another").decode(), got.headers, got.body, now=NOW_MS / 1000)


def test_a_body_is_as_its_schema_says_and_holds_whole_numbers_of_nano_dollars() -> None:
    schema = json.loads((ROOT / "schemas" / "alert.schema.json").read_text(encoding="utf-8"))
    for each in (
        messages.message_of(ALERT),
        messages.message_of(ALERT._replace(kind="cap", threshold_percent=None, window_start_ms=None)),
        messages.message_of(Alert("alr-2", "acme", "gate_lost", "p", "s", "enforced", "words", NOW_MS)),
        messages.trial("acme", "ops", "alr-test-1", NOW_MS),
    ):
        _, body = messages.webhook(each, [SECRET], NOW_MS)
        Draft202012Validator(schema).validate(json.loads(body))
    data = json.loads(messages.webhook(messages.message_of(ALERT), [SECRET], NOW_MS)[1])["data"]
    assert (data["used_before_nano_usd"], data["limit_nano_usd"], data["threshold_percent"]) == (
        19 * 10**9,
        25 * 10**9,
        80,
    )


NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128)


@given(
    policy=NAMES, counter=NAMES | st.none(), words=st.text(max_size=4000), kind=st.sampled_from(["threshold", "cap"])
)
def test_slacks_limits_are_kept_and_nothing_in_a_name_is_an_order_to_slack(
    policy: str, counter: str | None, words: str, kind: Any
) -> None:
    alert = ALERT._replace(policy=policy, counter=counter and counter * 30, words=words, kind=kind)
    body = json.loads(messages.slack(messages.message_of(alert))[1])
    texts = [body["text"]]
    for block in body["blocks"]:
        if block["type"] == "header":
            assert len(block["text"]["text"]) <= 150
            assert block["text"]["type"] == "plain_text"
            continue
        parts = [block["text"]] if "text" in block else block.get("fields", block.get("elements"))
        assert len(parts) <= 10
        texts += [each["text"] for each in parts]
    assert all(len(each) <= 3000 and "<" not in each and ">" not in each for each in texts)


def test_a_channel_gets_blocks_and_the_same_as_text() -> None:
    with receiving() as receiver:
        assert sent(receiver.url(), kind="slack") == Answer(200)
        (got,) = receiver.got
    assert not [name for name in got.headers if name.startswith("webhook")]
    body = json.loads(got.body)
    assert body["text"] == "80 % of a budget is used: marketing-monthly: past 80 % of the cap"
    assert body["blocks"][0]["text"]["text"] == "80 % of a budget is used: marketing-monthly"
    fields = [each["text"] for each in body["blocks"][2]["fields"]]
    assert fields[:3] == ["*Cap*\n$25.00", "*Used*\n$20.05", "*For*\nteam=marketing"]
    assert fields[4] == "*This call*\n$1.05 would be warned of"


# What comes of it


@pytest.mark.parametrize(
    ("says", "answer"),
    [
        (Says(204), Answer(204)),
        (Says(200, endless=True), Answer(200)),
        (Says(500), Answer(500, "it answered 500", 0, is_silent=True)),
        (Says(429, {"Retry-After": "120"}), Answer(429, "it answered 429", 120_000, is_silent=True)),
        (Says(404), Answer(404, "it answered 404")),
        (Says(410), Answer(410, "it answered 410")),
    ],
)
def test_two_hundreds_are_taken_and_nothing_else_is(says: Says, answer: Answer) -> None:
    with receiving(lambda _: says) as receiver:
        assert sent(receiver.url()) == answer
        assert len(receiver.got) == 1


def test_a_redirect_is_not_followed() -> None:
    with receiving() as inner, receiving(lambda _: Says(307, {"Location": inner.url("/inside")})) as outer:
        assert sent(outer.url()).problem == "it answered 307, and redirects are not followed"
        assert (len(outer.got), inner.got) == (1, [])


def test_what_does_not_answer_costs_its_time_and_says_so() -> None:
    with receiving(lambda _: None) as receiver:
        found = sent(receiver.url(), whole_s=0.5)
    assert found == Answer(None, "it did not answer within 0.5 s", is_silent=True)
    assert sent(f"http://127.0.0.1:{free_port()}/").problem == "no connection could be made"
    with socket.create_server(("127.0.0.1", 0)) as server:
        asyncio.run(_against_nonsense(server))


async def _against_nonsense(server: socket.socket) -> None:
    server.setblocking(False)

    async def speak() -> None:
        loop = asyncio.get_running_loop()
        connection, _ = await loop.sock_accept(server)
        await loop.sock_recv(connection, 65536)
        await loop.sock_sendall(connection, b"hello\r\n\r\n")
        connection.close()

    sender = Sender(SEALER, Allowed.parse("127.0.0.1"), lambda: NOW_MS)
    url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    _, found = await asyncio.gather(speak(), sender.send(target(url), messages.message_of(ALERT)))
    await sender.close()
    assert found.problem == "it broke off, or answered something that is not HTTP"


def test_without_leave_nothing_on_this_machine_is_asked_by_address_or_by_name() -> None:
    with receiving() as receiver:
        for url in (receiver.url(), receiver.url(host="localhost")):
            assert sent(url, allow="").problem == "its address is none that alerts may be sent to"
        for url in (receiver.url(host="localhost"), f"https://localhost:{receiver.port}/"):
            assert sent(url, allow="10.0.0.0/8").problem == "its name stands for no address that alerts may be sent to"
        assert receiver.got == []
        assert sent(receiver.url(host="localhost"), allow="localhost").problem is None
        assert (
            sent(receiver.url(host="no-such-name.invalid"), allow="127.0.0.1").problem == "its name cannot be looked up"
        )


def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that stands for another address a moment later, and for several, of which one is not allowed."""
    asked: list[str] = []
    answers = [["127.0.0.2", "127.0.0.1"], ["127.0.0.2"]]

    def looked_up(host: str, port: int, *_: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    with receiving() as receiver:
        monkeypatch.setattr("gateway_shadow.alerting.sending.socket.getaddrinfo", looked_up)
        assert sent(receiver.url(host="rebind.test"), allow="127.0.0.1") == Answer(200)
        assert asked == ["rebind.test"]
        assert receiver.got[0].headers["host"] == f"rebind.test:{receiver.port}"
        assert sent(receiver.url(host="rebind.test"), allow="127.0.0.1").is_silent
        assert len(receiver.got) == 1


def test_an_encrypted_target_is_asked_for_by_its_name_and_must_prove_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server, client = certified("hook.test", tmp_path)
    names: list[str | None] = []
    server.sni_callback = lambda _, name, __: names.append(name)

    def looked_up(host: str, port: int, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    with receiving(tls=server) as receiver:
        monkeypatch.setattr("gateway_shadow.alerting.sending.socket.getaddrinfo", looked_up)
        assert sent(receiver.url(host="hook.test"), tls=client) == Answer(200)
        assert (names, receiver.got[0].headers["host"]) == (["hook.test"], f"hook.test:{receiver.port}")
        assert sent(receiver.url(host="other.test"), tls=client).problem == "its certificate is not valid for it"
        assert sent(receiver.url(host="hook.test")).problem == "its certificate is not valid for it"
        assert len(receiver.got) == 1


def certified(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for a name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))


def test_a_target_sealed_by_another_key_is_told_and_nothing_is_sent() -> None:
    with receiving() as receiver:
        other = target(receiver.url())._replace(id="tgt-2")
        assert "sealed by another key" in (sent("", to=other).problem or "")
        assert receiver.got == []


@given(seconds=st.integers(0, 10**12))
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(seconds: int) -> None:
    assert retry_after_ms(str(seconds), NOW_MS) == min(seconds * 1000, TRIED_MS)
    at = datetime.fromtimestamp(NOW_MS / 1000, UTC) + timedelta(seconds=min(seconds, 10**8))
    assert retry_after_ms(format_datetime(at, usegmt=True), NOW_MS) == min(seconds * 1000, TRIED_MS)


@pytest.mark.parametrize("text", [
    None, "", "soon", "-5", "1.5", "Wed, 99 Foo 2026 10:00:00 GMT", "\u0664",
    f"Wed, 01 Jan 2026{'0' * 20} 10:00:00 GMT", f"Wed, 01 Jan 2026 10:00:00 +{'9' * 30}",
])  # fmt: skip
def test_what_is_no_retry_after_says_nothing(text: str | None) -> None:
    assert retry_after_ms(text, NOW_MS) == 0


@given(status=st.integers(100, 999))
def test_every_status_means_something(status: int) -> None:
    found = answered(status, None, NOW_MS)
    assert (found.problem is None) == (200 <= status < 300)
    assert found.is_silent == (status >= 500 or status in (408, 425, 429))
