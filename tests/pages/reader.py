"""Reads a page as a strict parser does: what is wrong with its HTML, and what a screen reader would miss."""

from collections.abc import Iterator
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "img", "br", "hr", "path", "rect", "line", "circle", "col"}
FIELDS = {"input", "select", "textarea"}
LOOSE = {"style", "srcset"}


class Reader(HTMLParser):
    """``faults``: what was found so far."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[tuple[str, bool]] = []
        self.targets: list[str] = []
        self.headings: list[str] = []
        self.forms: list[dict[str, str | None]] = []
        self.tokens = 0
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self._check(tag, said)
        if tag in FIELDS and said.get("type") != "hidden":
            self.fields.append((said.get("id") or "", "label" in self.open or "aria-label" in said))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._check(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()} closes something else")

    def _check(self, tag: str, said: dict[str, str | None]) -> None:
        self.faults += _faults(tag, said, self.getpos())
        self.forms += [said] if tag == "form" else []
        self.tokens += (tag, said.get("name")) == ("input", "csrf_token")
        self.ids += [said["id"] or ""] if said.get("id") else []
        self.labelled |= {said["for"] or ""} if tag == "label" and said.get("for") else set()
        self.links += [said["href"] or ""] if tag == "a" and said.get("href") else []
        if tag in ("h1", "html", "title", "main"):
            self.headings.append(tag if tag != "html" or said.get("lang") else "html without lang")

    def found(self) -> list[str]:
        """All faults, once the page is read."""
        unlabelled = [id_ for id_, is_within in self.fields if not is_within and id_ not in self.labelled]
        twice = {each for each in self.ids if self.ids.count(each) > 1}
        changing = sum((form.get("method") or "get").lower() == "post" for form in self.forms)
        return [
            *self.faults,
            *(f"<{tag}> is never closed" for tag in self.open),
            *(f"the field {each!r} has no label" for each in unlabelled),
            *(f"the id {each} is there twice" for each in twice),
            *(f"no {tag}, or several" for tag in ("html", "h1", "main") if self.headings.count(tag) != 1),
            *([] if self.tokens >= changing else ["a form without a token"]),
        ]


def _faults(tag: str, said: dict[str, str | None], at: tuple[int, int]) -> Iterator[str]:
    if tag == "style" or any(name in LOOSE or name.startswith("on") for name in said):
        yield f"{tag} at {at}: an inline style or script"
    if tag == "script" and not (said.get("src") or "").startswith("/assets/"):
        yield f"a script at {at} that is no file of ours"
    if tag == "img" and "alt" not in said:
        yield "an image without words"
    if any((said.get(name) or "").startswith(("http", "//")) for name in ("src", "href", "action")):
        yield f"{tag} leads to another host"


def read(text: str) -> Reader:
    """A page, read whole."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader
