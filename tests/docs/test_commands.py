"""The commands of the documentation that need no server; the others run in ``peers/test_docs.py``."""

from pathlib import Path

import pytest

from tests.docs.pages import PAGES
from tests.docs.running import pages_with, run_page


@pytest.mark.parametrize("page", pages_with("run", PAGES))
def test_a_pages_commands_print_what_it_says(page: str, tmp_path: Path) -> None:
    run_page(page, "run", tmp_path)
