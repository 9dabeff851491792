"""Laws of the certificate: it says what was proven; whatever was changed in it or is not of it is refused by name."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from policy_store.signing import Signer
from spendgate.model.reconciliation import digest_of
from spendgate.reconcile.certificate import (
    Certificate,
    Problem,
    Wanted,
    certify,
    encode_certificate,
    read,
    signed_bytes,
    verify,
)
from spendgate.reconcile.gate import gate, instant_ms
from spendgate.reconcile.public_keys import BadKey, PublicKeys
from tests.reconcile.results import NOW, NOW_MS, RULES, evidence, reconciliation, subject

SIGNER, OTHER = Signer(Ed25519PrivateKey.generate()), Signer(Ed25519PrivateKey.generate())
KEYS = PublicKeys([SIGNER.public])
SUBJECT = subject()
ROUND = evidence()
CERTIFICATE = certify(SIGNER, "crt-1", gate([ROUND], SUBJECT, RULES, {}, NOW_MS), SUBJECT, RULES, NOW_MS)
RAW = encode_certificate(CERTIFICATE)
WANTED = Wanted("acme", "stg-1", "daily", SUBJECT.hash, SUBJECT.settings.model_dump(), SUBJECT.engine_version)


def code(raw: bytes, keys: PublicKeys = KEYS, now: datetime = NOW, wanted: Wanted = WANTED) -> str | None:
    problem = verify(raw, keys, now, wanted)
    return None if problem is None else problem.code


def resigned(signer: Signer, **changes: Any) -> bytes:
    """The same with other fields, signed by a key."""
    made = msgspec.structs.replace(CERTIFICATE, **changes)
    return encode_certificate(msgspec.structs.replace(made, signature=signer.sign(signed_bytes(made))))


def test_it_is_valid_to_the_byte_as_it_was_made_and_says_what_was_proven() -> None:
    assert code(RAW) is None
    assert code(RAW + b"\n") is None
    assert read(RAW) == CERTIFICATE
    assert CERTIFICATE.reconciliation_sha256 == digest_of(ROUND.result)
    assert CERTIFICATE.expires_at == NOW + timedelta(days=7)
    said = json.loads(RAW)
    assert json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == RAW
    assert set(said) == {
        "kind", "id", "tenant", "staging", "policy", "hash", "settings", "engine_version", "observed", "offsets",
        "ledger_versions", "price_book_hash", "reconciliation", "reconciliation_sha256", "rules", "criteria",
        "issued_at", "expires_at", "signature",
    }  # fmt: skip


def test_only_a_gate_that_is_ready_is_certified() -> None:
    shut = gate([evidence(reconciliation(differing=1))], SUBJECT, RULES, {}, NOW_MS)
    with pytest.raises(ValueError, match="ready"):
        certify(SIGNER, "crt-1", shut, SUBJECT, RULES, NOW_MS)


def test_every_flipped_byte_is_refused() -> None:
    for place in range(len(RAW)):
        assert code(RAW[:place] + bytes([RAW[place] ^ 1]) + RAW[place + 1 :]) is not None, place


@given(st.integers(0, len(RAW) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_every_other_text_is_refused(place: int, put: bytes, taken: int) -> None:
    changed = RAW[:place] + put + RAW[place + taken :]
    if changed not in (RAW, RAW + b"\n"):
        assert code(changed) in {"unreadable", "not_canonical", "unknown_key", "bad_signature"}


def places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every value in a document, by its path."""
    if isinstance(node, dict):
        return [path for key, value in node.items() for path in places(value, (*at, key))]
    if isinstance(node, list):
        return [at, *(path for key, value in enumerate(node) for path in places(value, (*at, key)))]
    return [at]


def changed(value: Any) -> Any:
    """Something else of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case list():
            return value[:-1]
        case str() if value.endswith("Z"):
            return value.replace("2026", "2027")
        case str() if value in ("pass", "most", "least", "nearest"):
            return {"pass": "fail", "most": "least", "least": "most", "nearest": "all"}[value]
        case _:
            return str(value)[:-1] + ("0" if str(value)[-1:] != "0" else "1")


def written(said: Any) -> bytes:
    """A document in the canonical form."""
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def holder(said: Any, path: tuple[Any, ...]) -> Any:
    """What holds the last step of a path."""
    for key in path[:-1]:
        said = said[key]
    return said


def test_every_changed_value_and_every_one_taken_away_is_refused() -> None:
    assert len(places(json.loads(RAW))) > 150
    for path in places(json.loads(RAW)):
        said = json.loads(RAW)
        part = holder(said, path)
        part[path[-1]] = changed(part[path[-1]])
        assert code(written(said)) in {"bad_signature", "unreadable"}, path
        del part[path[-1]]
        assert code(written(said)) in {"bad_signature", "unreadable", "not_canonical", "unknown_key"}, path


@pytest.mark.parametrize(
    ("field", "value", "refusal"),
    [
        ("tenant", "evil", "other_tenant"),
        ("policy", "weekly", "other_policy"),
        ("hash", "0" * 64, "other_version"),
        ("staging", "stg-2", "other_staging"),
        ("settings", {"grace_hours": 1}, "other_settings"),
        ("engine_version", "1+tzdata.2020.1", "other_engine"),
        ("expires_at", NOW, "expired"),
        ("issued_at", NOW + timedelta(minutes=6), "not_yet"),
    ],
)
def test_one_of_something_else_is_refused_by_name_though_it_is_signed(field: str, value: Any, refusal: str) -> None:
    assert code(resigned(SIGNER, **{field: value})) == refusal
    assert code(resigned(OTHER, **{field: value})) == "unknown_key"
    if refusal.startswith("other"):
        assert code(resigned(SIGNER, **{field: value}), wanted=Wanted()) is None


@given(st.integers(-3600, 10 * 86400))
def test_it_holds_from_when_it_was_issued_to_its_end(seconds: int) -> None:
    now = NOW + timedelta(seconds=seconds)
    wanted = "expired" if now >= CERTIFICATE.expires_at else "not_yet" if seconds < -300 else None
    assert code(RAW, now=now) == wanted


def test_while_a_key_is_replaced_both_are_known_and_one_that_was_taken_away_is_not() -> None:
    old, new = RAW, resigned(OTHER)
    both = PublicKeys([SIGNER.public, OTHER.public])
    assert [code(each, both) for each in (old, new)] == [None, None]
    assert [code(each, PublicKeys([OTHER.public])) for each in (old, new)] == ["unknown_key", None]
    assert code(old, PublicKeys([])) == "unknown_key"


def test_a_signature_of_an_activation_is_none_of_a_certificate() -> None:
    bare = signed_bytes(CERTIFICATE).split(b"\n", 1)[1]
    forged = SIGNER.sign(b"spendgate-activation-v1\n" + bare)
    assert code(encode_certificate(msgspec.structs.replace(CERTIFICATE, signature=forged))) == "bad_signature"


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"{" * 5000, b"[" * 100_000], ids=range(7))
def test_what_is_no_certificate_is_told(raw: bytes) -> None:
    assert code(raw) == "unreadable"
    found = read(raw)
    assert isinstance(found, Problem)
    assert not isinstance(found, Certificate)


@pytest.mark.parametrize("text", ["", "AAAA", "not base64", "A" * 40, "é"])
def test_what_is_no_key_is_told(text: str) -> None:
    with pytest.raises(BadKey, match="expected base64 of 32 bytes"):
        PublicKeys([text])


def test_times_in_it_are_exact() -> None:
    assert instant_ms(CERTIFICATE.issued_at) == NOW_MS
    assert instant_ms(datetime(2026, 1, 1, 0, 0, 0, 999_000, UTC)) % 1000 == 999
