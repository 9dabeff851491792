"""A TCP proxy that takes its time: what passes it is delayed by ``delay_s`` each way."""

import asyncio
import contextlib
import threading

BYTES = 65536


class Proxy:
    """Listens on a free port of this machine and passes everything on to ``port``."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.delay_s = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        made = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = made.result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Latency, and no narrower a line: what comes later waits beside what came before, not behind it."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivering = asyncio.create_task(self._deliver(under_way, writer))
        with contextlib.suppress(OSError):
            while data := await reader.read(BYTES):
                under_way.put_nowait((self._loop.time() + self.delay_s, data))
        under_way.put_nowait((0.0, b""))
        await delivering

    async def _deliver(self, under_way: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            while True:
                due_s, data = await under_way.get()
                if not data:
                    break
                await asyncio.sleep(max(0.0, due_s - self._loop.time()))
                writer.write(data)
                await writer.drain()
            writer.close()

    def close(self) -> None:
        """Let go of the port and of all connections."""
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
