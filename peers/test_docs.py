"""The commands of the documentation that need a Kafka and a Redis, on a stack of their own."""

from pathlib import Path

import pytest

from dev.places import shared_libs
from tests.docs.pages import PAGES
from tests.docs.running import pages_with, run_page


@pytest.mark.parametrize("page", pages_with("run: stack", PAGES))
def test_a_pages_commands_print_what_it_says(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = tmp_path / "dev" / "kafka" / "libs"
    jars.parent.mkdir(parents=True)
    jars.symlink_to(shared_libs())  # fetched once for the checkout
    monkeypatch.setenv("SPENDGATE_DEV_DIR", str(tmp_path / "dev"))
    run_page(page, "run: stack", tmp_path)
