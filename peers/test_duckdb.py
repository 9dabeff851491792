"""The open loop is what window functions say, call by call."""

from pathlib import Path

import duckdb
import pytest

from bench.simulate_data import make_ledger
from spendgate.model.policy import Policy
from spendgate.simulate.job import Job, Source, run_job

EVENTS = 50_000
NANO_PER_USD = 10**9
CASES = [
    ({"calendar": "month", "timezone": "Europe/Berlin"}, "date_trunc('month', time at time zone 'Europe/Berlin')"),
    ({"calendar": "month", "timezone": "America/Sao_Paulo"},
     "date_trunc('month', time at time zone 'America/Sao_Paulo')"),
    ({"calendar": "week", "timezone": "UTC"}, "date_trunc('week', time at time zone 'UTC')"),
    ({"calendar": "day", "timezone": "Asia/Tokyo"}, "date_trunc('day', time at time zone 'Asia/Tokyo')"),
    ({"calendar": "quarter", "timezone": "UTC"}, "date_trunc('quarter', time at time zone 'UTC')"),
]  # fmt: skip


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ledger(tmp_path_factory.mktemp("peer"), EVENTS)


@pytest.mark.parametrize(("window", "part"), CASES)
@pytest.mark.parametrize(("per", "cap_usd"), [("team", 1), ("model", 3), ("employee", 0.1)])
def test_open_loop_breaches_are_those_of_window_functions(
    ledger: Path, window: dict[str, str], part: str, per: str, cap_usd: float
) -> None:
    query = f"""
        with judged as (
            select cost_nano_usd as cost, sum(cost_nano_usd) over
                (partition by {per}, {part} order by time, id rows unbounded preceding) as spent
            from read_parquet('{ledger}/events/**/*.parquet'))
        select count(*), coalesce(sum(cost), 0) from judged where spent > {int(cap_usd * NANO_PER_USD)}
    """
    connection = duckdb.connect()
    ((calls, nano_usd),) = connection.execute(query).fetchall()
    document = {
        "apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": "one"},
        "spec": {"rules": [
            {"budget": {"cap_usd": str(cap_usd), "window": window, "per": [per], "on_breach": "deny"}},
        ]},
    }  # fmt: skip
    job = Job(["spendgate"], [Policy.model_validate(document)], Source(ledger=str(ledger)))
    found = run_job(job)["verdicts"]["open"]["deny"]
    assert (found["calls"], found["cost_nano_usd"]) == (calls, int(nano_usd))
    assert calls > 0
