"""What an agent's process may be, each wired in a module of its own: a role loads what it needs and nothing else, for
how soon a process is back after its end is how long its partitions wait.

Each module has ``run(role, config) -> int``, which runs the agent and returns the process's exit code. Raises Fatal,
TopicsError, StoreError and ValueError for what keeps it from beginning.
"""

from collections.abc import Mapping

MODULES: Mapping[str, str] = {
    "worker": "agents.roles.shadow_worker",
    "ledger-events": "agents.roles.event_ledger",
    "ledger-decisions": "agents.roles.record_ledger",
    "ledger-checks": "agents.roles.record_ledger",
    "ledger-rejections": "agents.roles.record_ledger",
    "enforcement": "agents.roles.enforcing",
    "reconciliation": "agents.roles.reconciling",
}
"""By role; they are loaded when asked for."""
