"""What is wrong is counted, runs are kept whole, and what was run before is not run again."""

from pathlib import Path

import msgspec
import pytest
from typer import Typer
from typer.testing import CliRunner

from dev.faults import __main__ as command
from dev.faults.load import TENANTS, batches, up_to_now
from dev.faults.registry import FAULTS
from dev.faults.results import Results, line
from dev.faults.score import Overshoot, Score, together
from dev.faults.table import BEGIN, END, write

CLEAN = Score(
    events=10, decisions=9, wrong_decisions=0, events_lost=0, events_doubled=0, decisions_differing=0,
    counter_error_nano_usd=0, recovered_s=1.5, overshoot_nano_usd=0, cause="none", cause_named=True,
)  # fmt: skip


def test_runs_of_a_fault_are_added_up_and_the_longest_recovery_stands() -> None:
    worse = msgspec.structs.replace(CLEAN, wrong_decisions=2, recovered_s=0.5, cause="late", cause_named=False)
    both = together([CLEAN, worse])
    assert (both.decisions, both.wrong_decisions, both.recovered_s) == (18, 2, 1.5)
    assert (both.cause, both.cause_named, both.is_clean) == ("late, none", False, False)


def test_a_part_that_was_kept_is_found_and_one_that_is_damaged_is_run_again(tmp_path: Path) -> None:
    results = Results(tmp_path, 100)
    results.keep("kill_worker", 3, "ours", CLEAN)
    assert results.has("kill_worker", 3, "ours")
    assert not results.has("kill_worker", 3, "obvious")
    assert [each.whole for each in results.of("kill_worker")] == [CLEAN]
    (tmp_path / "100" / "kill_worker-3-ours.json").write_text("{")
    assert not results.has("kill_worker", 3, "ours")
    assert results.of("kill_worker") == []


def test_what_was_spent_over_enforced_caps_stands_in_the_line_beside_the_obvious_design(tmp_path: Path) -> None:
    results = Results(tmp_path, 100)
    over = Overshoot(checks=9, calls=5, nano_usd=7, let_through_nano_usd=3, flag_off_nano_usd=0, enforced_again_s=2.0)
    results.keep("redis_flush", 1, "ours", CLEAN)
    results.keep("redis_flush", 1, "enforced", over)
    results.keep("redis_flush", 1, "obvious", msgspec.structs.replace(CLEAN, counter_error_nano_usd=11))
    found = line(FAULTS["redis_flush"], results.of("redis_flush"))
    assert (found["overshoot_nano_usd"], found["enforced"]["let_through_nano_usd"]) == (7, 3)
    assert found["obvious"]["counter_error_nano_usd"] == 11


def test_the_table_is_written_between_its_marks_alone(tmp_path: Path) -> None:
    results, page = Results(tmp_path, 100), tmp_path / "faults.md"
    results.keep("kill_worker", 1, "ours", CLEAN)
    page.write_text(f"before\n{BEGIN}\nfigures of before\n{END}\nafter\n")
    Results(tmp_path, 10).keep("redis_flush", 1, "ours", CLEAN)
    write(page, tmp_path)
    write(page, tmp_path)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "figures of before" not in text
    assert (text.count("(`kill_worker`"), text.count("(`redis_flush`")) == (1, 1)


def test_a_load_is_a_function_of_its_seed_and_has_every_tenant_in_turn() -> None:
    span = up_to_now()
    one, same = (batches(300, 4, span, 10) for _ in range(2))
    assert one == same
    assert [batch.events[0].tenant for batch in one[:3]] == list(TENANTS)
    assert sum(len(batch.events) for batch in one) == 300


@pytest.mark.parametrize("arguments", [["--fault", "no_such"], ["--seeds", "one"]])
def test_a_fault_or_seed_that_is_none_is_wrong_usage(arguments: list[str]) -> None:
    application = Typer()
    application.command()(command.main)
    assert CliRunner().invoke(application, arguments).exit_code == 2
