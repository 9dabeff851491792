"""Budgets of a LiteLLM proxy, from its ``config.yaml`` or from a JSON dump of its tables."""

from collections.abc import Mapping

from spendgate.importers.carrying import Carrying
from spendgate.importers.drafting import Drafts, Imported
from spendgate.importers.litellm_budget import Session
from spendgate.importers.litellm_config import SECTIONS, import_config
from spendgate.importers.litellm_tables import import_tables, table_of
from spendgate.importers.reading import NotImportable, read_documents

EXPECTED = f"expected a config ({', '.join(SECTIONS)}), or tables by name, such as LiteLLM_TeamTable or teams"


def import_litellm(raw: bytes, mapping: Mapping[str, str], table: str | None = None) -> Imported:
    """The policies of a config or of a dump.

    ``mapping`` names the scope field for what has none of its own (``key``, ``tag``, ``organization``); ``table`` is
    what the rows are of, where the dump is a bare list. Raises NotImportable.
    """
    documents = read_documents(raw)
    if len(documents) != 1:
        raise NotImportable(f"expected one document, found {len(documents)}")
    data = documents[0]
    if table is not None:
        if table_of(table) is None or not isinstance(data, list):
            raise NotImportable("--table: expected a name such as teams, for a file that is a list of rows")
        data = {table: data}
    if isinstance(data, list):
        raise NotImportable("expected --table to say what the rows are of, such as --table teams")
    session = Session(Carrying(data), Drafts("litellm"), mapping)
    if not isinstance(data, dict) or not (any(name in SECTIONS or table_of(name) for name in data)):
        raise NotImportable(EXPECTED)
    import_config(session)
    import_tables(session)
    return session.drafts.imported(session.carrying)
