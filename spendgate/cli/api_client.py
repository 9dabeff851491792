"""The management API for the command line: where it is, whose key, and its problems as one line and an exit code."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import typer

from spendgate.cli.say import USAGE, told_without_kafka
from spendgate.failure import NEEDED, REFUSED, Failure

URL_ENV, KEY_ENV, HOME_ENV = "SPENDGATE_URL", "SPENDGATE_API_KEY", "SPENDGATE_HOME"
_TIMEOUT_S = 60.0
_FILE_TIMEOUT_S = 600.0
"""Until the next part of a file: a cost export reads all rows before its first."""
_CODES = {400: USAGE, 404: USAGE, 413: USAGE, 415: USAGE, 422: USAGE, 503: NEEDED}


def credentials_path() -> Path:
    """The file that ``spendgate login`` writes: in SPENDGATE_HOME, else in the user's configuration."""
    home = os.environ.get(HOME_ENV)
    return Path(home) / "credentials.json" if home else Path(typer.get_app_dir("spendgate")) / "credentials.json"


def save_credentials(url: str, key: str) -> Path:
    """Keep address and key where only this user may read them."""
    path = credentials_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"url": url, "key": key}, file)
    return path


def _known() -> Mapping[str, str]:
    try:
        found = json.loads(credentials_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise Failure(f"{credentials_path()}: expected what `spendgate login` writes; log in again", USAGE) from None
    return found if isinstance(found, dict) else {}


class Api:
    """The API, as its user. Every failure is a Failure."""

    def __init__(self, url: str, key: str) -> None:
        import httpx

        self._away = httpx.TransportError
        self._url = url
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, follow_redirects=False)

    def ask(self, method: str, path: str, **request: Any) -> Any:
        """The answer's JSON. ``request``: httpx's keywords."""
        return self.answer(method, path, **request)[0]

    def answer(self, method: str, path: str, **request: Any) -> tuple[Any, str | None]:
        """The answer's JSON, and its ETag."""
        try:
            answer = self._client.request(method, path, **request)
        except self._away:
            raise Failure(f"{self._url} does not answer") from None
        if answer.is_success:
            return answer.json(), answer.headers.get("etag")
        raise _failure(answer.status_code, answer.text)

    def text(self, path: str) -> str:
        """What stands there, to the byte."""
        try:
            answer = self._client.get(path)
        except self._away:
            raise Failure(f"{self._url} does not answer") from None
        if answer.is_success:
            return answer.text
        raise _failure(answer.status_code, answer.text)

    def tagged(self, method: str, path: str, read: str, **request: Any) -> Any:
        """Change what stands at ``read``, unless somebody else changes it in between."""
        _, tag = self.answer("GET", read)
        headers = {**request.pop("headers", {}), "If-Match": tag or ""}
        return self.ask(method, path, headers=headers, **request)

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """Server-sent events, name and JSON, until the stream ends or breaks off; a break is an end too."""
        with suppress(self._away), self._client.stream("GET", path) as answer:
            if not answer.is_success:
                answer.read()
                raise _failure(answer.status_code, answer.text)
            name = ""
            for line in answer.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, json.loads(value)

    @contextmanager
    def file(self, path: str, **request: Any) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """What stands there as headers and bytes, however much it is; one that breaks off is a Failure."""
        try:
            with self._client.stream("GET", path, timeout=_FILE_TIMEOUT_S, **request) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _failure(answer.status_code, answer.text)
                yield answer.headers, answer.iter_bytes()
        except self._away:
            raise Failure(f"{self._url} does not answer, or broke off in the middle; try again") from None

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


def _failure(status: int, text: str) -> Failure:
    """A problem document as words; each error on a line of its own."""
    try:
        problem = json.loads(text)
        lines = [str(problem["detail"]), *map(_error_line, problem.get("errors", []))]
    except (ValueError, KeyError, TypeError):
        lines = [f"expected spendgate's API there, and it answered {status}"]
    return Failure("\n  ".join(lines), _CODES.get(status, REFUSED))


def _error_line(error: Mapping[str, Any]) -> str:
    return ": ".join(str(error[name]) for name in ("field", "expected") if error.get(name))


@contextmanager
def api() -> Iterator[Api]:
    """The API of the environment's SPENDGATE_URL and SPENDGATE_API_KEY, else of the last login."""
    with told_without_kafka():
        known = _known()
        url, key = os.environ.get(URL_ENV) or known.get("url"), os.environ.get(KEY_ENV) or known.get("key")
        if not (url and key):
            raise Failure(f"who are you? run: spendgate login URL (or set {URL_ENV} and {KEY_ENV})", USAGE)
        opened = opened_api(url, key)
        try:
            yield opened
        finally:
            opened.close()


def opened_api(url: str, key: str) -> Api:
    """The API at an address. Raises Failure."""
    try:
        import httpx
    except ImportError:
        raise Failure("expected an HTTP client; run: pip install 'spendgate[services]'") from None
    try:
        return Api(url, key)
    except (httpx.InvalidURL, UnicodeEncodeError):
        raise Failure("expected an address such as http://127.0.0.1:8080, and a key such as sgk_...", USAGE) from None
