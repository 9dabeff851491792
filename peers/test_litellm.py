"""A real LiteLLM proxy: its own callback sends to us, and our hook asks and reports, without a word of content."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.ports import free_port
from spendgate.ledger.reader_litellm import CONTENT
from spendgate.model.decode import decode_message
from spendgate.model.event import Event
from tests.door.conftest import TENANT, Door, MakeDoor, make_door
from tests.live.waiting import until
from tests.stack import new_directory, run_directory, stack

__all__ = ["make_door", "new_directory", "run_directory", "stack"]

ROOT = Path(__file__).resolve().parents[1]
SECRET = "the-patient-said"
MASTER = "sk-" + "0123456789abcdef" * 4
HOME = ROOT / ".dev" / "peers" / "litellm"
LOCKED = ("--disable-pip-version-check", "--require-hashes", "-r", str(ROOT / "peers" / "litellm.lock"))


@pytest.fixture(scope="session")
def litellm() -> Path:
    """The command of a LiteLLM in an environment of its own, made once for the checkout."""
    command = HOME / "bin" / "litellm"
    if not command.exists():
        venv.create(HOME, with_pip=True, clear=True)
        command_line = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", *LOCKED]
        installed = subprocess.run(command_line, capture_output=True, text=True, check=False)
        if installed.returncode:
            pytest.skip(f"LiteLLM cannot be installed here: {installed.stderr.splitlines()[-1:]}")
    return command


@pytest.fixture
def proxy(litellm: Path, make_door: MakeDoor, tmp_path: Path) -> Iterator[tuple[Door, httpx.Client]]:
    """A proxy whose calls are reported by both ways, and a client with its master key."""
    door = make_door()
    key, hooked = door.key("ingest"), door.key("ingest", "hook", "hooked")
    mocked = {"model": "openai/gpt-4o", "api_key": "none", "mock_response": SECRET}
    config = {
        "model_list": [{"model_name": "gpt-4o", "litellm_params": mocked}],
        "general_settings": {"master_key": MASTER},
        "litellm_settings": {"callbacks": ["spendgate_hook.spendgate", "generic_api"]},
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    (tmp_path / "spendgate_hook.py").write_text((ROOT / "integrations/litellm/spendgate_hook.py").read_text())
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if "PYTHON" not in name and name != "DATABASE_URL"},
        "GENERIC_LOGGER_ENDPOINT": f"{door.url}/v1/ingest/litellm",
        "GENERIC_LOGGER_HEADERS": f"Authorization=Bearer {key}",
        "SPENDGATE_URL": door.url, "SPENDGATE_API_KEY": hooked, "SPENDGATE_CHECK_TIMEOUT_S": "5",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True", "DEFAULT_FLUSH_INTERVAL_SECONDS": "1", "LITELLM_MASTER_KEY": MASTER,
    }  # fmt: skip
    log = tmp_path / "litellm.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [litellm, "--config", "config.yaml", "--port", str(port), "--host", "127.0.0.1"], cwd=tmp_path,
            env=environment, stdout=sink, stderr=subprocess.STDOUT,
        )  # fmt: skip
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {MASTER}"}, timeout=60
    )
    try:
        until(lambda: process.poll() is not None or alive(client), "the proxy to answer", 120)
        assert process.poll() is None, log.read_text()[-3000:]
        yield door, client
    finally:
        process.kill()
        process.wait()
        client.close()


def alive(client: httpx.Client) -> bool:
    try:
        return client.get("/health/liveliness").status_code == 200
    except httpx.TransportError:
        return False


def chat(client: httpx.Client, **more: Any) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": SECRET}], "user": "alice", **more}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text


def events_of(door: Door, tenant: str) -> list[Event]:
    found: list[Event] = []
    for row in door.rows():
        if row.key == tenant.encode():
            found += decode_message(row.key, row.value, row.partition, door.topics.events.partitions).events
    return found


def test_calls_of_a_real_proxy_are_reported_by_both_ways_and_asked_about(proxy: tuple[Door, httpx.Client]) -> None:
    door, client = proxy
    for _ in range(3):
        chat(client, metadata={"tags": ["team:red", "workflow:claims"]})
    until(lambda: len(events_of(door, "hooked")) == 3, "the reports of the hook", 60)
    until(lambda: len(events_of(door, TENANT)) == 3, "the reports of the callback", 60)
    for tenant in (TENANT, "hooked"):
        for event in events_of(door, tenant):
            assert (event.vendor, event.team, event.workflow) == ("openai", "red", "claims")
            assert event.cost_nano_usd is not None
    assert all((event.check_id or "").startswith("chk-") for event in events_of(door, "hooked"))
    assert SECRET.encode() not in b"".join(row.value or b"" for row in door.rows())
    assert SECRET not in door.output.read_text()


def test_what_a_caller_puts_into_metadata_keeps_no_check_from_its_call(proxy: tuple[Door, httpx.Client]) -> None:
    door, client = proxy
    hostile: list[Any] = [{"spend_logs_metadata": None}, {"spend_logs_metadata": {"spendgate_check_id": "chk-other"}}]
    chat(client)  # the first one may meet a door that is still getting ready
    until(lambda: events_of(door, "hooked"), "the report of the first call", 60)
    for metadata in hostile:
        chat(client, metadata=metadata, max_tokens=2**60)
    until(lambda: len(events_of(door, "hooked")) == 1 + len(hostile), "the reports of the hook", 60)
    named = [event.check_id for event in events_of(door, "hooked")[1:]]
    assert all(name is not None and name.startswith("chk-") and name != "chk-other" for name in named), named


def test_a_call_goes_on_when_spendgate_is_gone(proxy: tuple[Door, httpx.Client]) -> None:
    door, client = proxy
    door.stop(kill=True)
    chat(client)


def test_the_hook_reports_nothing_that_can_hold_content() -> None:
    names = ROOT / "integrations" / "litellm" / "spendgate_hook.py"
    code = (
        "import sys, types; stub = types.ModuleType('litellm.integrations.custom_logger');"
        "stub.CustomLogger = object; sys.modules['litellm'] = types.ModuleType('litellm');"
        "sys.modules['litellm.integrations'] = types.ModuleType('litellm.integrations');"
        "sys.modules['litellm.integrations.custom_logger'] = stub;"
        f"import runpy; found = runpy.run_path({str(names)!r}); import json; print(json.dumps(found['REPORTED']))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(json.loads(told.stdout)) & set(CONTENT)
