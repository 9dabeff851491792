"""Which page stands where: ``docs/nav.yaml``, sections of names and patterns. A page that nothing names stands under
"More", so that a new one is never lost."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ruamel.yaml import YAML

from dev.places import CHECKOUT

DOCS = CHECKOUT / "docs"
MORE = "More"
_PATTERN = frozenset("*?[")


class NavError(ValueError):
    """A page is named that does not exist, or twice."""


def sections() -> Mapping[str, Sequence[str]]:
    """As written."""
    return YAML(typ="safe").load(DOCS / "nav.yaml")  # type: ignore[no-any-return]


def placed(written: Mapping[str, Sequence[str]], pages: Iterable[str]) -> dict[str, list[str]]:
    """The pages of each section, in its order; those of a pattern by name. Raises NavError.

    A pattern may match nothing (yet); a plain name must exist. The first that names a page has it.
    """
    left = sorted(set(pages))
    found: dict[str, list[str]] = {}
    for section, names in written.items():
        for name in names:
            here = [page for page in left if fnmatchcase(page, name)]
            if not here and not _PATTERN & set(name):
                raise NavError(f"docs/nav.yaml: {section}: {name}: expected a page that exists and is named once")
            found.setdefault(section, []).extend(here)
            left = [page for page in left if page not in here]
    return {**{section: pages for section, pages in found.items() if pages}, **({MORE: left} if left else {})}


def pages_of(folder: Path) -> list[str]:
    """The Markdown files below a folder, as the navigation names them."""
    return sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*.md"))
