"""The naive recount: a slow evaluator in plain Python, written from the law alone, that every other is held to."""

from tests.oracle.documents import OracleDecision, OracleReason, Record
from tests.oracle.oracle import Oracle
from tests.oracle.windows import window_of

__all__ = ["Oracle", "OracleDecision", "OracleReason", "Record", "window_of"]
