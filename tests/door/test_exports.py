"""Exports at a real door: the rows of the pages at one version, whole or broken off so that it shows."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_store import api_keys
from spendgate.ledger.bill_focus import read_bill
from spendgate.ledger.delta_import import import_batches
from spendgate.ledger.event_rows import batch_of
from tests.door.conftest import Door
from tests.engine.scenes import START, TENANT, call, correction, examples, log_of
from tests.ledger.exported import FORMATS, comparable, documents
from tests.live.waiting import until
from tests.reconcile.test_reconcile import busy, write

MANY = 120_000
"""Events of a tenant whose export is too long for what stands between a process and a reader that does not read."""
PATHS = {"events": "/v1/ledger", "decisions": "/v1/decisions"}


@pytest.fixture(scope="module")
def opened(shared_door: Door) -> Door:
    """A door with a ledger: a busy tenant with owners that a spreadsheet would run, and one with many events."""
    log, decisions, _ = busy()
    later = (
        call(timedelta(minutes=50), "hostile", team="=1+1", employee="@a,b", model="-m", workflow="'w"),
        correction(timedelta(minutes=51), "e17", 5),
        call(timedelta(minutes=52), "e17", team="t1"),
        call(timedelta(minutes=53), "unpriced", None),
    )
    write(shared_door.ledger, log_of(*(record.body for record in log), *later), decisions)
    events = [call(timedelta(seconds=n), f"m{n}", team=f"team-{n % 9}") for n in range(MANY)]
    for each in events:
        each.tenant = "many"
    import_batches(str(shared_door.ledger), [batch_of(events)], "0" * 64)
    return shared_door


def pages(client: httpx.Client, path: str, params: dict[str, str]) -> list[Any]:
    found: list[Any] = []
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        got = client.get(path, params={**params, **cursor, "limit": "20"}).json()
        found += got["items"]
        cursor = {"cursor": got["next"]} if got["next"] else None
    return found


@pytest.fixture(autouse=True)
def _nobody_exports_any_more(opened: Door) -> Iterator[None]:
    """The next test begins once the exports of this one have ended: of a tenant there is one at a time."""
    yield
    until(lambda: not exporting(opened), "every export to end")


minutes = st.none() | st.integers(0, 55).map(lambda n: (START + timedelta(minutes=n)).isoformat())
FILTERS = {
    "events": {"team": ["t0", "=1+1", "nobody"], "employee": ["@a,b"], "source": ["app"], "id": ["e17", "hostile"]},
    "decisions": {"verdict": ["deny", "approve"], "policy": ["capped", "other"], "code": ["over_cap"],
                  "event_id": ["e5"], "staging": ["second"]},
}  # fmt: skip


@examples(8)
@given(st.sampled_from(["events", "decisions"]), st.sampled_from(FORMATS), minutes, minutes, st.data())
def test_a_file_holds_the_rows_of_the_pages_under_every_filter(
    opened: Door, table: Any, format_: Any, from_: str | None, to: str | None, data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(list(FILTERS[table])), max_size=2, unique=True))
    params = {name: data.draw(st.sampled_from(FILTERS[table][name])) for name in names}
    params |= {name: at for name, at in (("from", from_), ("to", to)) if at is not None}
    with opened.as_("viewer", tenant=TENANT) as client:
        expected = pages(client, PATHS[table], params)
        answer = client.get(f"{PATHS[table]}/export", params={**params, "format": format_})
    assert answer.status_code == 200, answer.text
    assert comparable(documents(answer.content, format_, table)) == comparable(expected)


def test_the_same_version_gives_the_same_rows_again_while_the_ledger_grows(opened: Door) -> None:
    with opened.as_("viewer", tenant=TENANT) as client:
        before = client.get("/v1/ledger/export", params={"format": "csv"})
        version = before.headers["x-spendgate-ledger-version"]
        assert before.headers["content-disposition"] == f'attachment; filename="ledger-v{version}.csv"'
        event = call(timedelta(hours=9), "late")
        import_batches(str(opened.ledger), [batch_of([event])], "1" * 64)
        again = client.get("/v1/ledger/export", params={"format": "csv", "version": version})
        newer = client.get("/v1/ledger/export", params={"format": "csv", "imported": "true"})
        gone = client.get("/v1/ledger/export", params={"version": "999999"})
    assert again.content == before.content
    assert int(newer.headers["x-spendgate-ledger-version"]) > int(version)
    assert newer.content.count(b"\n") == before.content.count(b"\n") + 1
    assert (gone.status_code, gone.json()["type"]) == (409, "urn:spendgate:problem:no_ledger")


def test_a_bill_has_the_latest_costs_and_says_how_many_calls_have_none(opened: Door, tmp_path: Path) -> None:
    params = {"from": START.isoformat(), "to": (START + timedelta(hours=1)).isoformat(), "rows": "hour"}
    with opened.as_("viewer", tenant=TENANT) as client:
        for format_ in ("focus", "focus-parquet"):
            answer = client.get("/v1/ledger/export", params={**params, "format": format_})
            assert answer.headers["x-spendgate-unpriced-calls"] == "1"
            (tmp_path / format_).write_bytes(answer.content)
            lines = list(read_bill(tmp_path / format_))
            assert sum(line.billed_nano_usd for line in lines) == 40 * 10**9 + 5
            assert {line.period_start for line in lines} == {
                datetime(2026, 5, 1, hour, tzinfo=UTC) for hour in (10, 11)
            }


def test_another_tenants_rows_are_in_no_file(opened: Door) -> None:
    with opened.as_("viewer", tenant="nobody-else") as client:
        for path in PATHS.values():
            answer = client.get(f"{path}/export", params={"format": "jsonl"})
            assert (answer.status_code, answer.content) == (200, b"")
        assert client.get("/v1/ledger/export", params={"format": "focus", "imported": "true"}).text.count("\n") == 1


@contextmanager
def streaming(door: Door, key: str, **params: str) -> Iterator[httpx.Response]:
    """An export of the tenant with many events, of which nothing has been read but the head."""
    wanted = {"format": "jsonl", "imported": "true", **params}
    headers = {"Authorization": f"Bearer {key}"}
    narrow = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)])
    with (
        httpx.Client(base_url=door.url, headers=headers, timeout=60, transport=narrow) as client,
        client.stream("GET", "/v1/ledger/export", params=wanted) as answer,
    ):
        yield answer


def exporting(door: Door) -> list[int]:
    """The processes of the door that export."""
    assert door.process is not None
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            parent = next(line for line in status.read_text().splitlines() if line.startswith("PPid"))
            command = (status.parent / "cmdline").read_bytes()
            if int(parent.split()[1]) == door.process.pid and b"exports.process" in command:
                found.append(int(status.parent.name))
    return found


def test_a_file_that_cannot_become_whole_is_broken_off_and_the_next_one_is_whole(opened: Door) -> None:
    key = opened.key("viewer", tenant="many")
    for format_ in ("jsonl", "parquet"):
        with streaming(opened, key, format=format_) as answer:
            parts = answer.iter_raw()
            next(parts)
            for pid in exporting(opened):
                os.kill(pid, signal.SIGKILL)
            if format_ == "jsonl":
                with pytest.raises(httpx.RemoteProtocolError):
                    list(parts)
        until(lambda: not exporting(opened), "the process to be gone")
    with streaming(opened, key) as answer:
        assert sum(part.count(b"\n") for part in answer.iter_raw()) == MANY


def test_a_reader_that_leaves_leaves_nothing_behind(opened: Door) -> None:
    key = opened.key("viewer", tenant="many")
    with streaming(opened, key) as answer:
        assert answer.status_code == 200
        assert len(exporting(opened)) == 1
    until(lambda: not exporting(opened), "the process to be gone")
    with streaming(opened, key) as answer:
        assert answer.status_code == 200


def test_two_export_at_a_time_and_of_one_tenant_one_and_pages_go_on(opened: Door) -> None:
    key = opened.key("viewer", tenant="many")
    with ExitStack() as running:
        assert running.enter_context(streaming(opened, key)).status_code == 200
        with streaming(opened, key) as second:
            assert (second.status_code, second.headers["retry-after"]) == (503, "10")
        with opened.as_("viewer", tenant=TENANT) as client:
            assert client.get("/v1/ledger/export").status_code == 200
            assert client.get("/v1/ledger", params={"limit": 1}).status_code == 200


def test_a_file_ends_with_its_key(opened: Door) -> None:
    key = opened.key("viewer", tenant="many")
    with streaming(opened, key) as answer:
        parts = answer.iter_raw()
        next(parts)
        known = api_keys.parse(key)
        assert known is not None
        with opened.changes().of("many", "root") as change:
            api_keys.revoke(change, known.id, "leaked")
        until(lambda: not exporting(opened), "the export to end")
        with pytest.raises(httpx.RemoteProtocolError):
            list(parts)


def spendgate(door: Door, tenant: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "SPENDGATE_URL": door.url, "SPENDGATE_API_KEY": door.key("viewer", tenant=tenant)}
    command = [sys.executable, "-m", "spendgate.cli.main", *map(str, arguments)]
    command[1:3] = ["-c", "from spendgate.cli.main import main; main()"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_writes_a_whole_file_or_none(opened: Door, tmp_path: Path) -> None:
    out = tmp_path / "red.parquet"
    done = spendgate(opened, TENANT, "export", "-o", out, "--where", "team=t1", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["out"], pq.read_table(out).num_rows) == (str(out), 21)
    assert pq.read_schema(out).metadata[b"spendgate.ledgerVersion"] == str(told["version"]).encode()
    bill = spendgate(opened, TENANT, "export", "--format", "focus", "-o", "-")
    assert bill.stdout.startswith("BilledCost,")
    assert "without a price, left out: 1" in bill.stderr
    denied = spendgate(
        opened, TENANT, "export", "--table", "decisions", "-o", tmp_path / "d.csv", "--where", "verdict=deny"
    )
    assert (denied.returncode, "rows of version" in denied.stdout) == (0, True)
    wrong = spendgate(opened, TENANT, "export", "-o", tmp_path / "x.csv", "--where", "verdict=deny")
    assert (wrong.returncode, (tmp_path / "x.csv").exists()) == (2, False)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["d.csv", "red.parquet"]


def test_a_command_whose_file_breaks_off_keeps_nothing(opened: Door, tmp_path: Path) -> None:
    environment = {**os.environ, "SPENDGATE_URL": opened.url,
                   "SPENDGATE_API_KEY": opened.key("viewer", tenant="many")}  # fmt: skip
    command = [sys.executable, "-c", "from spendgate.cli.main import main; main()", "export", "--imported", "-o",
               str(tmp_path / "all.jsonl")]  # fmt: skip
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        part = tmp_path / ".all.jsonl.part"
        until(lambda: part.exists() and part.stat().st_size > 0, "the file to begin")
        os.kill(process.pid, signal.SIGSTOP)
        for pid in exporting(opened):
            os.kill(pid, signal.SIGKILL)
        os.kill(process.pid, signal.SIGCONT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, b"broke off in the middle" in said) == (3, True)
    assert list(tmp_path.iterdir()) == []
