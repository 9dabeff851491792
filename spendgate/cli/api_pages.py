"""Lists that the management API gives page by page, and ids by their first characters."""

from collections.abc import Iterable
from typing import Any

from spendgate.cli.api_client import Api
from spendgate.cli.say import USAGE
from spendgate.failure import Failure

ALL = 10_000
"""So many are looked through for the beginning of an id."""
SHOWN = 12
"""So many characters of an id are shown."""
_PAGE = 1000


def pages(opened: Api, path: str, items: str, wanted: dict[str, str | None], limit: int) -> list[dict[str, Any]]:
    """Up to ``limit`` documents of a list; ``items``: its name in the answer. Raises Failure."""
    found: list[dict[str, Any]] = []
    params = {name: value for name, value in wanted.items() if value is not None}
    while len(found) < limit:
        size = {"limit": str(min(_PAGE, limit - len(found)))}
        page = opened.ask("GET", path, params={**params, **size})
        found += page[items]
        if page["next"] is None:
            break
        params["after"] = page["next"]
    return found


def whole_id(begun: str, found: Iterable[dict[str, Any]], what: str) -> str:
    """The one id that begins so. Raises Failure; ``what``: of what, in words."""
    ids = [str(each["id"]) for each in found if each["id"].startswith(begun)]
    if len(ids) != 1:
        raise Failure(f"{what}; {len(ids)} begin so", USAGE)
    return ids[0]
