"""Privacy settings, secret keys of tenants, keys of gateways, nonces: on both databases."""

import json
import threading
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from policy_store import audit, gateway_keys, privacy, tenant_secrets
from policy_store.errors import Exists, NotFound, Refused, Stale, StoreAway
from policy_store.gateway_keys import Nonce
from policy_store.master_keys import MasterKeys, make_master_key_file, read_master_key_file
from spendgate.model.event import PrivacyMode
from spendgate.model.privacy import MODES
from spendgate.model.privacy_settings import PrivacySettings
from spendgate.reconcile.public_keys import key_id, public_text
from tests.store.conftest import Store
from tests.store.scenes import change, tenant

MASTER = MasterKeys([b"m" * 32])


def set_mode(
    store: Store, mode: PrivacyMode, revision: int = 0, master: MasterKeys | None = MASTER, *, keeps: bool = True
) -> privacy.Privacy:
    with change(store) as made:
        return privacy.set_settings(
            made, PrivacySettings(mode=mode), revision=revision, why="because", master=master, keeps=keeps
        )


def secrets_of(store: Store) -> list[tenant_secrets.TenantSecret]:
    with store.database.read() as connection:
        return tenant_secrets.listed(connection, "acme")


def new_public() -> tuple[str, str]:
    """The text of a public key, and its id."""
    key = Ed25519PrivateKey.generate().public_key()
    return public_text(key), key_id(key)


def test_settings_are_changed_by_who_has_read_them_and_the_trail_says_why(store: Store) -> None:
    tenant(store)
    with store.database.read() as connection:
        assert privacy.get(connection, "acme") == privacy.Privacy(PrivacySettings(), 0)
    assert set_mode(store, "fingerprint_only").revision == 1
    with pytest.raises(Stale, match="at 1"):
        set_mode(store, "full_trace", 0)
    assert set_mode(store, "full_trace", 1).revision == 2
    assert set_mode(store, "full_trace", 2).revision == 2, "the same again is no change"
    with store.database.read() as connection:
        assert privacy.get(connection, "acme").settings.mode == "full_trace"
        assert privacy.modes_in_use(connection) == {"full_trace"}
        found = [each for each in audit.entries(connection, "acme") if each.action == "privacy"]
        assert audit.verify(connection) == []
    modes = [(json.loads(each.before or "")["mode"], json.loads(each.after or "")["mode"]) for each in found]
    assert modes == [("metadata_only", "fingerprint_only"), ("fingerprint_only", "full_trace")]
    assert {each.why for each in found} == {"because"}


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_that_could_not_be_obeyed_cannot_be_set(store: Store, mode: PrivacyMode) -> None:
    tenant(store)
    missing = {
        "private_gateway": "no_gateway_key", "fingerprint_only": "no_master_key", "redacted_trace": "no_content_store",
        "full_trace": "no_content_store",
    }  # fmt: skip
    if mode not in missing:
        set_mode(store, mode, master=None, keeps=False)
        return
    with pytest.raises(Refused) as refused:
        set_mode(store, mode, master=MASTER if "content" in missing[mode] else None, keeps=False)
    assert refused.value.code == missing[mode]
    assert secrets_of(store) == [], "nothing of it was done"


def test_a_mode_brings_the_secret_keys_that_it_needs_and_they_are_sealed(store: Store) -> None:
    tenant(store)
    set_mode(store, "fingerprint_only")
    assert [each.purpose for each in secrets_of(store)] == ["fingerprint"]
    set_mode(store, "redacted_trace", 1)
    found = secrets_of(store)
    assert {each.purpose for each in found} == {"fingerprint", "content"}
    opened = [MASTER.open(each.sealed, each.bound_to) for each in found]
    assert {len(key) for key in opened} == {32}
    assert len(set(opened)) == 2
    for key, sealed in zip(opened, found, strict=True):
        assert b64encode(key).decode() not in repr(sealed)
    with store.database.read() as connection:
        said = "".join(map(str, audit.entries(connection, "acme")))
    assert not any(each.sealed in said or key.hex() in said for each, key in zip(found, opened, strict=True))


def test_what_is_sealed_opens_under_its_key_and_for_its_purpose_alone(store: Store) -> None:
    tenant(store)
    set_mode(store, "fingerprint_only")
    (found,) = secrets_of(store)
    for master, purpose in (
        (MasterKeys([b"x" * 32]), found.bound_to),
        (MASTER, found._replace(tenant="other").bound_to),
        (MASTER, found._replace(purpose="content").bound_to),
    ):
        with pytest.raises(Refused, match="master key"):
            master.open(found.sealed, purpose)
    flipped = found.sealed[:-6] + ("A" if found.sealed[-6] != "A" else "B") + found.sealed[-5:]
    for changed in (flipped, "", "v1:", "v2:x:y", found.sealed + "!"):
        with pytest.raises(Refused, match="master key"):
            MASTER.open(changed, found.bound_to)


def test_a_rotation_retires_a_key_and_a_retired_one_can_be_destroyed(store: Store) -> None:
    tenant(store)
    with change(store) as made, pytest.raises(Refused, match="none yet"):
        tenant_secrets.rotate(made, MASTER, "fingerprint")
    set_mode(store, "full_trace")
    old = next(each for each in secrets_of(store) if each.purpose == "fingerprint")
    store.clock.ms += 1
    with change(store) as made:
        new = tenant_secrets.rotate(made, MASTER, "fingerprint", "yearly")
    with store.database.read() as connection:
        assert tenant_secrets.current(connection, "acme", "fingerprint") == new
    retired = next(each for each in secrets_of(store) if each.id == old.id)
    assert retired.retired_ms == store.clock.ms
    assert MASTER.open(retired.sealed, retired.bound_to) == MASTER.open(old.sealed, old.bound_to)
    contents = next(each for each in secrets_of(store) if each.purpose == "content")
    for id_, error in ((new.id, Refused), (contents.id, Refused), ("fp-unknown", NotFound)):
        with change(store) as made, pytest.raises(error):
            tenant_secrets.destroy(made, id_, "why")
    with change(store, tenant="other") as made, pytest.raises(NotFound):
        tenant_secrets.destroy(made, old.id, "why")
    with change(store) as made:
        tenant_secrets.destroy(made, old.id, "leaked")
    assert old.id not in {each.id for each in secrets_of(store)}


def test_a_master_key_is_replaced_without_losing_a_secret(store: Store, tmp_path: Path) -> None:
    tenant(store)
    path, new = tmp_path / "master", tmp_path / "new"
    make_master_key_file(path)
    make_master_key_file(new)
    set_mode(store, "full_trace", master=read_master_key_file(path))
    before = [read_master_key_file(path).open(each.sealed, each.bound_to) for each in secrets_of(store)]
    path.write_bytes(new.read_bytes() + path.read_bytes())
    with store.database.begin() as connection:
        assert tenant_secrets.reseal(connection, read_master_key_file(path)) == 2
        assert tenant_secrets.reseal(connection, read_master_key_file(path)) == 0
    only = read_master_key_file(new)
    assert [only.open(each.sealed, each.bound_to) for each in secrets_of(store)] == before


@pytest.mark.parametrize("content", [b"", b"AAAA", b"not base64!", b64encode(b"x" * 31), b"\xff\xfe"])
def test_a_file_that_holds_no_master_key_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "master"
    path.write_bytes(content)
    with pytest.raises(Refused, match="base64 of 32 bytes"):
        read_master_key_file(path)
    with pytest.raises(Refused, match="base64 of 32 bytes"):
        read_master_key_file(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        make_master_key_file(path)


def test_a_gateways_key_is_registered_once_and_does_not_come_back(store: Store) -> None:
    tenant(store)
    public, id_ = new_public()
    with change(store) as made:
        assert gateway_keys.add(made, "eu", public).id == id_
    set_mode(store, "private_gateway", master=None, keeps=False)
    with change(store) as made, pytest.raises(Exists, match="registered already"):
        gateway_keys.add(made, "again", public)
    with change(store) as made:
        gateway_keys.revoke(made, id_, "lost")
    with change(store) as made, pytest.raises(Exists, match="revoked"):
        gateway_keys.add(made, "again", public)
    for other, error in ((id_, Refused), ("0" * 16, NotFound)):
        with change(store) as made, pytest.raises(error):
            gateway_keys.revoke(made, other, "again")
    for bad in ("", "AAAA", "!", b64encode(b"x" * 33).decode()):
        with change(store) as made, pytest.raises(Refused, match="public: expected"):
            gateway_keys.add(made, "bad", bad)
    with change(store) as made, pytest.raises(Refused, match="nobody could send"):
        privacy.set_settings(
            made, PrivacySettings(mode="private_gateway", retention_days=2), revision=1, why="x" * 3, master=None,
            keeps=False,
        )  # fmt: skip


def test_a_nonce_is_taken_by_one_of_many_at_once_and_forgotten_when_it_is_too_old(store: Store) -> None:
    nonce, taken = Nonce("acme", "k", "n" * 8), []

    def take() -> None:
        with store.database.begin() as connection:
            taken.append(gateway_keys.claim(connection, nonce, 1000))

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * 5 + [True]
    with store.database.begin() as connection:
        assert gateway_keys.claim(connection, nonce._replace(tenant="other"), 1000)
        assert gateway_keys.forget(connection, 999) == 0
        gateway_keys.release(connection, nonce)
        assert gateway_keys.claim(connection, nonce, 2000)
        assert gateway_keys.forget(connection, 1000) == 1
        assert not gateway_keys.claim(connection, nonce, 2000)


def test_settings_of_a_later_program_are_not_guessed_at(store: Store) -> None:
    tenant(store)
    set_mode(store, "fingerprint_only")
    with store.database.begin() as connection:
        connection.execute(text('UPDATE privacy_settings SET document = \'{"mode": "half_trace"}\''))
    with store.database.read() as connection:
        for ask in (lambda: privacy.get(connection, "acme"), lambda: privacy.modes_in_use(connection)):
            with pytest.raises(StoreAway, match="newer program"):
                ask()
