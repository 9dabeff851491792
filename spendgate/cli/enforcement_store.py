"""The global flag turned off at the store's database itself, from a checkout or the image: no door has to answer."""

import json
from pathlib import Path

from spendgate.cli import admin


def all_off(store: str, key_file: Path | None, why: str, *, as_json: bool) -> str:
    """What was done, as it is printed. Raises typer.Exit with one line for what cannot be."""
    with admin.told():
        from policy_store import enforcement
        from policy_store.audit import SYSTEM
        from policy_store.signing import read_key_file

        signer = read_key_file(admin.key_file_of(key_file))
        with admin.database_of(store) as (_, changes):
            with changes.of(SYSTEM, admin.WHO) as change:
                ended = enforcement.off(change, "global", None, why, signer)
            demoted = enforcement.finish_off(changes, admin.WHO, why, signer)
        if as_json:
            return json.dumps({"off": bool(ended.flags), "demoted": [each.id for each in demoted]})
        lines = [*("off: global flag" for _ in ended.flags), *(f"in shadow: {each.id}" for each in demoted)]
        return "\n".join(lines) or "nothing was on"
