"""``python -m bench.pages_watch PORT KEY COUNT``: so many open live pages, as far as the door can tell. It says
``begun`` once all of them are told what happens, reads on for as long as it runs, and says at the end what came."""

import asyncio
import json
import signal
import sys

from bench.processes import BenchError

_CHUNK = 1 << 20


class _Page:
    """One connection, which asks for what the page asks for; what comes is counted and let go, for a browser elsewhere
    would take no processor here."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.bytes = 0

    async def watch(self, port: int, key: str) -> None:
        """Read until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_CHUNK)
        head = f"GET /v1/decisions/live?at_most=10 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n"
        writer.write(head.encode())
        seen = b""
        while part := await reader.read(_CHUNK):
            self.bytes += len(part)
            if not self.begun.is_set():
                seen += part
                if b"HTTP/1.1 200" not in seen:
                    raise BenchError(seen.decode(errors="replace")[:300])
                if b"event: begun" in seen:
                    self.begun.set()


async def _watched(port: int, key: str, count: int) -> None:
    pages, ended = [_Page() for _ in range(count)], asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    tasks = [asyncio.create_task(each.watch(port, key)) for each in pages]
    begun = [asyncio.create_task(each.begun.wait()) for each in pages]
    while not all(each.done() for each in begun):
        await asyncio.wait([*tasks, *(each for each in begun if not each.done())], return_when=asyncio.FIRST_COMPLETED)
        if any(each.done() for each in tasks):
            raise BenchError("a live page was ended")
    print("begun", flush=True)
    await ended.wait()
    print(json.dumps({"bytes": sum(each.bytes for each in pages)}), flush=True)
    for each in tasks:
        each.cancel()


if __name__ == "__main__":
    asyncio.run(_watched(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
