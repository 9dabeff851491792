"""Outside development a worker obeys what the policy store has signed, and nothing else."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agents.config import Config
from agents.delivery import Fatal, Message
from agents.steps import steps
from agents.trust import Trust, anyone
from policy_store.signing import Signer, Verifier
from spendgate.model.activation import Activation, encode_activation
from spendgate.model.partition import partition_of
from spendgate.model.topics import load_topics

TOPIC = load_topics().events
SERVERS = {"SPENDGATE_KAFKA": "broker:9092", "SPENDGATE_REDIS": "redis://127.0.0.1:1/0", "SPENDGATE_LEDGER": "x"}
SIGNER, OTHER = Signer(Ed25519PrivateKey.generate()), Signer(Ed25519PrivateKey.generate())


def staged(tenant: str = "acme") -> Activation:
    return Activation(
        kind="activation", id="act-1", tenant=tenant, time=datetime(2026, 5, 1, tzinfo=UTC), action="stage",
        staging="stg-1", policy="p", hash="0" * 64,
    )  # fmt: skip


def obeyed(value: bytes, trusts: Trust) -> tuple[int, list[str | None]]:
    """How many activations are obeyed, and the fields at fault of what is set aside."""
    key = b"acme"
    message = Message(partition_of(key, TOPIC.partitions), 7, key, value, 1_780_000_000_000)
    found = list(steps(TOPIC, [message], -1, trusts))
    faults = [each.field for step in found for each in step.rejections]
    return sum(step.activation is not None for step in found), faults


def test_what_the_store_has_signed_is_obeyed() -> None:
    trusts = Verifier([OTHER.public, SIGNER.public]).is_signed
    assert obeyed(encode_activation(SIGNER.signed(staged())), trusts) == (1, [])


@pytest.mark.parametrize("signature", [None, "", "x", "{key_id}:", "{key_id}:AAAA", ":" * 9, "\N{SNOWMAN}:é"])
def test_what_is_not_signed_is_set_aside(signature: str | None) -> None:
    value = encode_activation(staged())
    if signature is not None:
        unsigned = staged()
        unsigned.signature = signature.format(key_id=SIGNER.key_id)
        value = encode_activation(unsigned)
    assert obeyed(value, Verifier([SIGNER.public]).is_signed) == (0, ["signature"])
    assert obeyed(value, anyone) == (1, [])


def test_another_key_is_not_the_store() -> None:
    assert obeyed(encode_activation(OTHER.signed(staged())), Verifier([SIGNER.public]).is_signed) == (0, ["signature"])


@given(at=st.integers(0, 500), bit=st.integers(0, 7))
def test_a_changed_bit_is_never_obeyed(at: int, bit: int) -> None:
    value = bytearray(encode_activation(SIGNER.signed(staged())))
    value[at % len(value)] ^= 1 << bit
    assert obeyed(bytes(value), Verifier([SIGNER.public]).is_signed)[0] == 0


def test_a_signature_of_one_tenant_is_none_for_another() -> None:
    moved = SIGNER.signed(staged("other"))
    moved.tenant = "acme"
    assert obeyed(encode_activation(moved), Verifier([SIGNER.public]).is_signed) == (0, ["signature"])


@pytest.mark.parametrize("role", ["worker", "ledger-events"])
def test_without_the_stores_keys_a_worker_does_not_start_outside_development(
    role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SERVERS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SPENDGATE_DEV", raising=False)
    monkeypatch.delenv("SPENDGATE_STORE_KEYS", raising=False)
    with pytest.raises(Fatal, match="SPENDGATE_STORE_KEYS") as missing:
        Config.from_environment(role)
    assert missing.value.code == 2
    monkeypatch.setenv("SPENDGATE_STORE_KEYS", "nonsense")
    with pytest.raises(Fatal, match="base64 of 32 bytes"):
        Config.from_environment(role)
    monkeypatch.setenv("SPENDGATE_STORE_KEYS", f"{OTHER.public}, {SIGNER.public}")
    assert Config.from_environment(role).trusts(SIGNER.signed(staged()))
    assert not Config.from_environment(role).trusts(staged())
    monkeypatch.setenv("SPENDGATE_DEV", "1")
    assert Config.from_environment(role).trusts(staged())
