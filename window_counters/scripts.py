"""The Lua files, called by their hash and loaded when the server does not know them."""

import hashlib
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError

from window_counters.client import Client
from window_counters.wire import Call


class Script:
    """Lua files of ``window_counters/lua``, one after the other: what the last one uses, and that one."""

    def __init__(self, *names: str) -> None:
        folder = files("window_counters").joinpath("lua")
        self._source = b"\n".join(folder.joinpath(f"{name}.lua").read_bytes() for name in names)
        self._sha = hashlib.sha1(self._source, usedforsecurity=False).hexdigest()

    async def __call__(self, client: Client, call: Call) -> Any:
        """The script's reply. It is sent again only if the server says that it does not know it."""
        command: tuple[Any, ...] = ("EVALSHA", self._sha, len(call.keys), *call.keys, *call.args)
        try:
            return await client.execute_command(*command)
        except NoScriptError:
            await client.script_load(self._source)
            return await client.execute_command(*command)
