"""Where the stack keeps what: state, data and logs in ``.dev/`` at the root of the checkout."""

import os
import shutil
from pathlib import Path

from dev.errors import no_space

CHECKOUT = Path(__file__).resolve().parent.parent
POM = CHECKOUT / "dev" / "kafka" / "pom.xml"
SERVER_PROPERTIES = CHECKOUT / "dev" / "kafka" / "server.properties"
COMPOSE = CHECKOUT / "compose.yaml"
_ENOUGH_BYTES = 64 * 1024 * 1024


def home() -> Path:
    """The directory of the stack: ``SPENDGATE_DEV_DIR``, else ``.dev`` at the root of the checkout."""
    return Path(os.environ.get("SPENDGATE_DEV_DIR") or CHECKOUT / ".dev").resolve()


def shared_libs() -> Path:
    """Kafka's jars, resolved once for the checkout and used by every broker of it."""
    return home() / "kafka" / "libs"


def prepare(directory: Path, enough_bytes: int = _ENOUGH_BYTES) -> None:
    """Make the directory and see that a broker could start in it.

    Raises:
        OSError: it cannot be made or written.
        StackError: less than ``enough_bytes`` are free there; a broker dies later, and less clearly.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(directory).free < enough_bytes:
        raise no_space(directory)
