"""Optimistic concurrency: a revision is an ETag, and whoever changes something says in If-Match which one they read."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

from gateway_shadow.problems import Problem

_TAG = re.compile(r'"([0-9]{1,9})"', re.ASCII)


async def _if_match(
    if_match: Annotated[str | None, Header(description='The ETag that was read, such as `"3"`.')] = None,
) -> int:
    if if_match is None:
        raise Problem(428, "no_revision", "If-Match: expected the ETag of what was read")
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise Problem(412, "stale", 'If-Match: expected one ETag as it was given, such as "3"')
    return int(found[1])


IfMatch = Annotated[int, Depends(_if_match)]
"""The revision that the caller has read."""


def tagged(response: Response, revision: int) -> None:
    """Give the revision to the caller."""
    response.headers["ETag"] = f'"{revision}"'
