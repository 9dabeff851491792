"""Runs the commands of runbooks against a running system: ours in this process, for a start takes a second."""

import os
import shlex
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from redis import Redis
from typer.testing import CliRunner

from policy_store.api_keys import Role
from spendgate.cli.main import app
from tests.enforcing.scene import Scene

ROLES: dict[str, Role] = {"ann": "editor", "bob": "approver", "cat": "operator", "dan": "operator", "app": "ingest"}
_STATUS = "; echo $?"


@dataclass
class Shell:
    """A shell at the scene; ``keys``: of each person, all made at once, for each stands in the trail."""

    scene: Scene
    keys: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = {person: self.scene.door.key(role, person) for person, role in ROLES.items()}

    def run(self, line: str, person: str) -> str:
        """What a command prints, on both outputs; with ``; echo $?`` its exit code, too."""
        line = line.replace("{spend.events:", f"{{{self.scene.world.topics.events.name}:")
        command, tells = line.removesuffix(_STATUS), line.endswith(_STATUS)
        words = shlex.split(Template(command).safe_substitute(self._environment(person)))
        if words[0] == "redis-cli":
            printed, code = self._redis(words[1:]), 0
        elif words[0] == "spendgate" and not {"|", ">", ";"} & set(words):
            printed, code = self._spendgate(words[1:], person)
        else:
            printed, code = self._bash(command, person)
        printed = printed.replace(self.scene.world.prefix, "")
        return printed.rstrip("\n") + (f"\n{code}" if tells else "")

    def _spendgate(self, words: list[str], person: str) -> tuple[str, int]:
        with chdir(self.scene.folder):
            done = CliRunner().invoke(app, words, env=self._environment(person), prog_name="spendgate")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output, done.exit_code

    def _redis(self, words: list[str]) -> str:
        with Redis.from_url(self.scene.world.redis_url, socket_timeout=5, decode_responses=True) as client:
            found = client.execute_command(*words)
        if isinstance(found, dict):
            return "\n".join(f"{name}\n{value}" for name, value in found.items())
        return "" if found is None else "PONG" if words == ["PING"] else str(found)

    def _bash(self, command: str, person: str) -> tuple[str, int]:
        bin_ = Path(sys.executable).parent
        environment = {**os.environ, **self._environment(person), "PATH": f"{bin_}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.scene.folder, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
        )  # fmt: skip
        return done.stdout, done.returncode

    def _environment(self, person: str) -> dict[str, str]:
        door, world = self.scene.door, self.scene.world
        return {
            **world.environment(), "SPENDGATE_URL": door.url, "SPENDGATE_API_KEY": self.keys[person],
            "SPENDGATE_STORE": door.store_url, "SPENDGATE_STORE_KEY_FILE": str(door.folder / "store.pem"),
            "SPENDGATE_STORE_KEYS": door.signer.public, "SPENDGATE_HOME": str(self.scene.folder), "COLUMNS": "400",
        }  # fmt: skip
