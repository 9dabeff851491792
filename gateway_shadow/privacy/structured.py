"""The part of Structured Fields (RFC 9651) that signatures and digests are written in: dictionaries, strictly.

Only the canonical spelling is taken, so that what was signed is what stands in the field, to the byte.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from typing import NamedTuple

Bare = str | int | bytes | bool

_KEY = r"[a-z*][a-z0-9_\-.*]*"
_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_BARE = rf"-?[0-9]{{1,15}}|{_STRING}|:[A-Za-z0-9+/=]*:|\?[01]|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*"
_PARAMS = rf"(?:;{_KEY}(?:=(?:{_BARE}))?)*"
_INNER = rf"\((?:{_STRING}{_PARAMS}(?: {_STRING}{_PARAMS})*)?\)"
_MEMBER = re.compile(rf"({_KEY})=({_INNER}|{_BARE})({_PARAMS})(?:[ \t]*,[ \t]*|$)", re.ASCII)
_ITEM = re.compile(rf"({_STRING})({_PARAMS})", re.ASCII)
_PARAM = re.compile(rf";({_KEY})(?:=({_BARE}))?", re.ASCII)
_ESCAPED = re.compile(r'\\(["\\])')


class NotStructured(ValueError):
    """A field that is not a dictionary in its canonical spelling."""


class Member(NamedTuple):
    """One member: its value and parameters as they stand."""

    value: str
    params_text: str

    @property
    def params(self) -> dict[str, Bare]:
        """Parameters by name. Raises NotStructured for one that stands twice."""
        found = [(name, True if text == "" else bare(text)) for name, text in _PARAM.findall(self.params_text)]
        if len(found) != len(dict(found)):
            raise NotStructured
        return dict(found)

    @property
    def strings(self) -> list[str]:
        """The items of an inner list of strings. Raises NotStructured where one has parameters, or it is no list."""
        found = _ITEM.findall(self.value)
        if not self.value.startswith("(") or any(params for _, params in found):
            raise NotStructured
        return [str(bare(text)) for text, _ in found]


def dictionary(text: str) -> dict[str, Member]:
    """The members of a dictionary field by key. Raises NotStructured."""
    found: dict[str, Member] = {}
    at = 0
    while at < len(text):
        member = _MEMBER.match(text, at)
        if member is None or member[1] in found:
            raise NotStructured
        found[member[1]] = Member(member[2], member[3])
        at = member.end()
    if text.rstrip().endswith(","):
        raise NotStructured
    return found


def bare(text: str) -> Bare:
    """A bare item: text for strings and tokens, bytes, whole numbers, truth. Raises NotStructured."""
    if text.startswith('"'):
        return _ESCAPED.sub(r"\1", text[1:-1])
    if text.startswith(":"):
        try:
            return b64decode(text[1:-1], validate=True)
        except NotBase64:
            raise NotStructured from None
    if text.startswith("?"):
        return text == "?1"
    return int(text) if text.lstrip("-").isdigit() else text
