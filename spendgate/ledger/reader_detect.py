"""What a file is, by how it begins."""

from spendgate.ledger.reader_azure import HEADER
from spendgate.ledger.reader_csv import header_names
from spendgate.ledger.reader_documents import first_keys
from spendgate.ledger.reader_litellm import is_litellm
from spendgate.ledger.reader_options import Format
from spendgate.ledger.reader_problem import InputError
from spendgate.ledger.reader_stream import Stream

_BLANK = b"\xef\xbb\xbf \t\r\n"
BILL = frozenset({"BilledCost", "BillingCurrency", "ChargePeriodStart"})
"""Columns that every FOCUS export has."""


def detect(stream: Stream) -> Format:
    """The format of a file. Raises InputError for one that begins with nothing, and for a bill."""
    if stream.is_parquet:
        return "parquet"
    first = stream.head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    if not first.strip():
        raise InputError("line 1: expected an event as JSON, or the header of a CSV file")
    if first.lstrip(_BLANK)[:1] in (b"{", b"["):
        return _detect_json(stream.head)
    if first.strip() == HEADER.encode():
        return "azure"
    header = first.decode("utf-8", "replace").strip()
    return detect_columns(set(header_names(header)))


def detect_columns(names: set[str]) -> Format:
    """The format of a table with these columns. Raises InputError for a bill."""
    if names >= BILL:
        raise InputError("expected events; this is a FOCUS cost export, a bill, which holds no calls")
    return "litellm" if is_litellm(names) else "csv"


def _detect_json(head: bytes) -> Format:
    names = first_keys(head)
    if "resourceSpans" in names:
        return "otel"
    if "specversion" in names:
        return "cloudevents"
    return "litellm" if is_litellm(names) or {"data", "total_pages"} <= names else "jsonl"
