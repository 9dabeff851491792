"""The report's page in a real browser: everything is drawn, in light and in dark, without a network."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.simulate_data import make_ledger
from spendgate.model.policy_source import read_policy
from spendgate.simulate.html_report import write_html
from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.sweep import sweep_section

NAMES = ("chromium", "chromium-headless-shell", "google-chrome", "chromium-browser")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
POLICY = """
apiVersion: spendgate/v1
kind: Policy
metadata: {name: daily}
spec: {rules: [{budget: {cap_usd: "2", window: {calendar: day}, per: [team], on_breach: deny}}]}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    policies = [read_policy(POLICY, "daily.yaml")]
    job = Job(
        ["spendgate", "simulate"], policies, Source(ledger=str(make_ledger(folder, 20_000))),
        sections={"sweep": sweep_section("cap=1:9:1", policies)}, with_timeline=True,
    )  # fmt: skip
    write_html(run_job(job), folder / "page.html")
    return folder / "page.html"


@pytest.mark.skipif(BROWSER is None, reason="this machine has no Chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn(page: Path, scheme: str) -> None:
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", *dark, "--virtual-time-budget=20000",
               "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", page.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    asked = page.read_text().count('<div class="chart"')
    assert asked >= 4
    assert len(re.findall(r'<svg class="main-svg"', done.stdout)) >= asked
