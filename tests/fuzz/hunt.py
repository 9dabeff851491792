"""Hunts for inputs that break a law, guided by coverage: ``python -m tests.fuzz.hunt [TARGET ...] [--seconds N]``.

Needs Atheris (``make fuzz`` installs it; Python 3.11 or 3.12). Each target is hunted in a process of its own, for so
many seconds, from the seeds and from what earlier hunts have kept in ``.dev/fuzz``. Exit codes: 0 nothing was found,
1 an input breaks a law (it is kept there), 2 wrong usage, 3 Atheris is not here.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

KEPT = Path(__file__).parents[2] / ".dev" / "fuzz"
FOLLOWED = (
    "spendgate.model", "spendgate.ledger", "spendgate.prices", "spendgate.importers", "gateway_shadow.adapters",
    "gateway_shadow.ledger.pages", "policy_store.api_keys", "window_counters.wire", "ruamel.yaml",
)  # fmt: skip
"""Where coverage is looked at. The engine is not among them: its code is compiled."""
MOST_BYTES, HANGS_S = 16_384, 30
_STAT = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_COVERED = re.compile(r"\bcov: (\d+)")
_UNCAUGHT = "=== Uncaught"
_WORD = re.compile(rb"[A-Za-z_][\w.\-]{1,40}")


def main(arguments: Sequence[str]) -> int:
    """Hunt; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.hunt", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="what to hunt in; all, if none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if find_spec("atheris") is None:
        sys.stderr.write("atheris is not here; run: make fuzz (Python 3.11 or 3.12)\n")
        return 3
    if options.here:
        _hunt(options.targets[0], options.seconds)
    from tests.fuzz.targets import TARGETS

    if unknown := [name for name in options.targets if name not in TARGETS]:
        sys.stderr.write(f"{unknown[0]}: expected one of {', '.join(TARGETS)}\n")
        return 2
    found = [_told(name, options.seconds) for name in options.targets or TARGETS]
    return 1 if any(found) else 0


def _told(target: str, seconds: int) -> bool:
    """Hunt in a process of its own and say what came of it; whether a law was broken."""
    command = [sys.executable, "-m", "tests.fuzz.hunt", target, "--seconds", str(seconds), "--here"]
    hunt = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=Path(__file__).parents[2])
    output = hunt.stdout + hunt.stderr
    runs, covered = _STAT.findall(output), _COVERED.findall(output)
    sys.stdout.write(
        f"{target:20} {int(runs[-1]) if runs else 0:>10,} inputs  {covered[-1] if covered else 0:>6} places"
    )
    sys.stdout.write("\n" if hunt.returncode == 0 else f"  BROKEN\n{output[-6000:]}\n")
    sys.stdout.flush()
    return hunt.returncode != 0


def _hunt(target: str, seconds: int) -> None:
    """Does not return: libFuzzer ends the process."""
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

    with atheris.instrument_imports(include=list(FOLLOWED)):
        from tests.fuzz.seeds import seeds
        from tests.fuzz.targets import TARGETS
    kept = KEPT / target
    (kept / "found").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "seeds").mkdir()
        for number, data in enumerate(seeds(target)):
            (folder / "seeds" / str(number)).write_bytes(data)
        (folder / "words").write_text("".join(f'"{word}"\n' for word in _words(seeds(target))))
        flags = [
            f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", f"-timeout={HANGS_S}", "-rss_limit_mb=4096",
            f"-dict={folder / 'words'}", f"-artifact_prefix={kept}/", "-print_final_stats=1",
            str(kept / "found"), str(folder / "seeds"),
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *flags], TARGETS[target])
        atheris.Fuzz()


def _words(found: Sequence[bytes]) -> Iterator[str]:
    """The names that stand in the seeds, and what numbers and texts can be made of."""
    yield from sorted({word.decode() for data in found if len(data) < MOST_BYTES for word in _WORD.findall(data)})
    yield from ("1e999999999", "-0", "\\\\ud800", "null", "true", "{", "}", "[", "]", '\\"', ": ", "- ", "---")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
