"""Options that `simulate` and `explain` share: where recorded events come from, and what becomes of reviews."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from spendgate.cli.say import USAGE
from spendgate.failure import Failure

if TYPE_CHECKING:
    from spendgate.simulate.job import Source


class Reviews(StrEnum):
    """What becomes of a would-be review."""

    approved = "approved"
    refused = "refused"


def source_of(given: Mapping[str, Any]) -> "Source":
    """Where the events come from, by the options that say so. Raises Failure."""
    from spendgate.cli.ledger import storage_options
    from spendgate.ledger.reader_options import DEFAULT_SOURCE, read_options
    from spendgate.simulate.job import Source

    if (given["ledger"] is None) == (given["events"] is None):
        raise Failure("expected either --ledger PATH or --events FILE", USAGE)
    read = read_options(given["tenant"], DEFAULT_SOURCE, given["columns"], 0, given["file_format"])
    options = storage_options(given["storage_option"])
    return Source(given["ledger"], given["events"], read, options, given["ledger_version"])
