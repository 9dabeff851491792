"""A web server on loopback that keeps what is posted to it, and answers as it is told."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Got:
    """One request; the names of headers in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Says:
    """An answer. ``endless``: its body has no end."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    endless: bool = False


Answering = Callable[[Got], Says | None]
"""What is said to a request; None: nothing, until the server is closed."""


def _taken(_: Got) -> Says:
    return Says()


@dataclass
class Receiver:
    """``got``: every request so far, in the order in which they were read."""

    answering: Answering = _taken
    got: list[Got] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    tls: bool = False

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    def ids(self) -> list[str]:
        """The ids of the messages."""
        return [each.headers["webhook-id"] for each in self.got]

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        """Keep a request, and answer it."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        got = Got(handler.path, {name.lower(): value for name, value in handler.headers.items()}, body)
        self.got.append(got)
        says = self.answering(got)
        if says is None:
            self.closing.wait()
            return
        handler.send_response(says.status)
        for name, value in says.headers.items():
            handler.send_header(name, value)
        body = b"" if says.status == 204 else b"ok"
        if body and not says.endless:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        while says.endless and not self.closing.is_set():
            handler.wfile.write(b"x" * 65536)


@contextmanager
def receiving(answering: Answering = _taken, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A server that runs meanwhile."""
    receiver = Receiver(answering, tls=tls is not None)

    class Handler(BaseHTTPRequestHandler):
        timeout = 60

        def do_POST(self) -> None:
            receiver.respond(self)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that has gone is none."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
