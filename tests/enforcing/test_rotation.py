"""The policy store's key is replaced under an enforced policy, as docs/gate.md has it, and nothing steps back."""

from datetime import UTC, datetime

from policy_store import audit
from policy_store.signing import make_key_file, read_key_file
from tests.door.conftest import TENANT
from tests.enforcing.scene import Scene
from tests.enforcing.test_flip import DOLLAR, capped
from tests.live.samples import call
from tests.live.waiting import until
from tests.store import enforced


def restarted(scene: Scene, *public: str) -> None:
    """The door and the enforcement agent, with the new key's file and these public keys."""
    keys = {"SPENDGATE_STORE_KEYS": ",".join(public)}
    scene.agents[-1].terminate()
    scene.agent(**keys)
    scene.door.stop()
    scene.door.start(**scene.settings, SPENDGATE_STORE_KEY_FILE=str(scene.folder / "new.pem"), **keys)


def denied(scene: Scene) -> bool:
    return scene.ask(team="red", estimate_nano_usd=1).status_code == 429


def test_a_rotated_store_key_demotes_nothing_and_the_old_one_may_go_after_the_next_round(scene: Scene) -> None:
    staging = scene.enforced(capped("1"))
    scene.send(call(TENANT, 1, datetime.now(UTC), DOLLAR))
    scene.world.settle()
    until(lambda: denied(scene), "the cap to be reached", state=scene.logs)

    old, new = scene.door.signer, make_key_file(scene.folder / "new.pem")
    restarted(scene, new.public, old.public)
    until(lambda: denied(scene), "the old certificate to be obeyed", state=scene.logs)

    scene.store.signer = read_key_file(scene.folder / "new.pem", [old.public])
    _, settled = enforced.record(scene.store, enforced.state_of(scene.store, staging))
    assert settled.certificate is not None
    restarted(scene, new.public)
    until(lambda: denied(scene), "the new certificate to be obeyed", state=scene.logs)
    with scene.door.database.read() as connection:
        assert not [each for each in audit.entries(connection, TENANT) if each.action == "demote"]
