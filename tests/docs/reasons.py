"""Why a command of the documentation is not run from its page: what it needs that no test has, or which test runs it
elsewhere, with data of its own. What is not run from its page must have a reason here, and a reason a command.
"""

import re
from typing import NamedTuple


class Reason(NamedTuple):
    """Of commands of a page that begin like ``command``. ``by``: what runs them elsewhere, from the checkout's root;
    empty where nothing can."""

    page: str
    command: str
    why: str
    by: str = ""

    def is_of(self, page: str, command: str) -> bool:
        """Whether it is about a command of a page."""
        return self.page == page and re.match(self.command, command) is not None


_HOUR = "plays an hour or a day, for a minute or two, on servers of its own"
_CLUSTER = "needs a cluster; what it applies is checked against the schemas"

REASONS = (
    Reason("README.md", r"make demo", _HOUR, "tests/dev/test_runs.py"),
    Reason("README.md", r"spendgate (decisions|policy|send)\b", "is typed beside a demo that waits", "tests/cli"),
    Reason("docs/enforcement.md", r"spendgate enforcement\b", "is walked in docs/runbooks", "tests/runbooks"),
    Reason("docs/faults.md", r"make faults", "takes minutes to hours, and breaks what it runs on", "tests/faults"),
    Reason("docs/howto/opentelemetry.md", r"export OTEL_", "sets up somebody's own exporter"),
    Reason("docs/kubernetes.md", r"kubectl|spendgate admin|openssl", _CLUSTER, "tests/dev/test_deploy.py"),
    Reason("docs/login.md", r"cat |export |spendgate login", "needs a provider", "tests/door/test_login.py"),
    Reason("docs/monitoring.md", r"prometheus", "goes on until it is stopped", "peers/test_monitoring.py"),
    Reason("docs/spark.md", r"", "needs PySpark", "peers/test_spark.py"),
    Reason("docs/verticals.md", r"make demo|spendgate demo", _HOUR, "peers/test_verticals.py"),
)
