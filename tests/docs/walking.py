"""Walking the commands of a page on a running system, as the runbooks are walked (``tests/runbooks``): blocks after
``<!-- run: system -->``, and between them what happens there, ``<!-- here: ... -->``."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dev.places import CHECKOUT
from dev.trial.workers import Worker
from spendgate.ledger.delta_reader import Ledger
from spendgate.model.policy_source import read_policy
from tests.door.conftest import TENANT
from tests.enforcing.scene import Scene
from tests.live.samples import call, calls
from tests.live.waiting import until
from tests.runbooks.book import Happens, walked
from tests.runbooks.matching import Names
from tests.runbooks.shell import Shell

MARK = "run: system"
WITHIN_S = 180.0
CALLS = 1_500
_WALKED = re.compile(r"^<!-- here: [^\n]+ -->$|^<!-- run: system -->\n(```console.*?^```)$", re.MULTILINE | re.DOTALL)


@dataclass
class System:
    """A door, a worker, both ledger agents and an agent that reconciles."""

    scene: Scene
    shell: Shell

    @classmethod
    def started(cls, scene: Scene) -> "System":
        """On a scene that nothing runs on yet but its door."""
        world, folder = scene.world, scene.folder
        world.worker(SPENDGATE_DEV="", SPENDGATE_STORE_KEYS=scene.door.signer.public)
        for role in ("ledger-events", "ledger-decisions"):
            world.recorder(role)
        environment = {
            **world.environment(), "SPENDGATE_STORE": scene.door.store_url,
            "SPENDGATE_STORE_KEY_FILE": str(folder / "store.pem"), "SPENDGATE_RECONCILE_S": "600",
        }  # fmt: skip
        scene.agents.append(Worker.start(folder / "reconciler.log", environment, "reconciliation"))
        shutil.copytree(CHECKOUT / "examples", folder / "examples")
        (folder / ".dev").mkdir()
        (folder / ".dev" / "ledger").symlink_to(world.ledger)
        return cls(scene, Shell(scene))

    def happen(self, words: str) -> None:
        """Let it happen."""
        what: dict[str, Callable[[], None]] = {"a busy hour is judged and recorded": self._busy_hour}
        what[words]()

    def _busy_hour(self) -> None:
        scene = self.scene
        scene.world.send([call(TENANT, "first", datetime.now(UTC))])
        scene.world.settle()  # the worker is there, so nothing that follows waits for its start
        scene.staged(read_policy((CHECKOUT / "examples" / "marketing-monthly.yaml").read_text(encoding="utf-8"), "-"))
        scene.world.send(calls(CALLS, 1, TENANT), per_message=100)
        scene.world.settle()
        until(self._is_recorded, "the ledger to have all of it", WITHIN_S, scene.logs)

    def _is_recorded(self) -> bool:
        try:
            ledger = Ledger.open(self.scene.world.ledger)
        except Exception:  # noqa: BLE001 - it is not there yet
            return False
        rows = [sum(file.rows for file in ledger.files_of(name, TENANT)) for name in ("events", "decisions")]
        return rows[0] >= CALLS and rows[1] >= CALLS * 9 // 10


def walk(page: str, system: System, folder: Path) -> int:
    """Walk a page; how many commands it has had. What they print must be what it says."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    kept = folder / "walked.md"
    kept.write_text("\n".join(each[1] or each[0] for each in _WALKED.finditer(text)) + "\n", encoding="utf-8")
    names, number = Names(), 0
    for step in walked(kept):
        if isinstance(step, Happens):
            system.happen(step.words)
            continue
        number += 1
        printed = system.shell.run(names.put_in(step.text), step.person)
        lacking = names.lacking(step.expected, printed)
        assert lacking is None, f"{page}: {step.text}\nlacking: {lacking}\nprinted:\n{printed}"
    return number
