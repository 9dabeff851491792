"""Put the site's pages together: ``python -m dev.docs.assemble``.

Pages of ``docs/`` as they are, but for links that lead out of it: what they lead to is copied beside the pages, so that
the site is whole by itself. References and pictures are made. MkDocs then reads ``.release/``.
"""

import os
import re
import shutil
import sys
from pathlib import Path, PurePosixPath

from ruamel.yaml import YAML

from dev.docs import pictures, references
from dev.docs.nav import DOCS, pages_of, placed, sections
from dev.places import CHECKOUT
from policy_store.lifecycle import diagram

WORK = CHECKOUT / ".release"
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")
"""A link's target without its anchor; never an address of the web."""
DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = "files"
"""Where what is not of ``docs/`` stands in the site."""


def assemble(work: Path) -> Path:
    """Write pages and configuration below ``work``; returns the configuration. Raises NavError."""
    pages = work / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(DOCS, pages, ignore=shutil.ignore_patterns("nav.yaml"))
    for name, text in (("policy", references.policy()), ("api", references.api()), ("command", references.command())):
        _write(pages / "reference" / f"{name}.md", text)
    for name, text in pictures.all_of_them().items():
        _write(pages / "pictures" / f"{name}.svg", text)
    for name in pages_of(pages):
        _write(pages / name, _within(name, drawn((pages / name).read_text(encoding="utf-8")), pages))
    nav = [{section: names} for section, names in placed(sections(), pages_of(pages)).items()]
    configuration = work / "mkdocs.yml"
    told = {"INHERIT": str(CHECKOUT / "mkdocs.yml"), "docs_dir": str(pages), "nav": nav}
    YAML().dump(told, configuration)
    return configuration


def drawn(text: str) -> str:
    """The page with the diagram of a policy's life, which a forge draws, as a picture, which asks nothing of anybody.

    Raises ValueError for another diagram: it would stand on the site as text.
    """

    def picture(match: re.Match[str]) -> str:
        if match[1] != diagram():
            raise ValueError("expected no diagram in a page but that of policy_store.lifecycle, as it is")
        return "![The life of a policy](pictures/life.svg)"

    return DIAGRAM.sub(picture, text)


def _within(page: str, text: str, pages: Path) -> str:
    """The page with its links out of ``docs/`` led to copies."""
    folder = PurePosixPath(page).parent

    def led(match: re.Match[str]) -> str:
        target = os.path.normpath(DOCS / folder / match[1])
        if Path(target).is_relative_to(DOCS) or not Path(target).is_relative_to(CHECKOUT):
            return match[1]
        return os.path.relpath(_copied(Path(target), pages), pages / folder)

    return LINK.sub(led, text)


def _copied(source: Path, pages: Path) -> Path:
    """The copy of a file, or of a folder's first file for a folder; Markdown becomes plain text, for it is no page."""
    if source.is_dir():
        source = next(each for each in sorted(source.iterdir()) if each.is_file())
    target = pages / FILES / source.relative_to(CHECKOUT)
    target = target.with_name(target.name + ".txt") if target.suffix == ".md" else target
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """Into ``.release``; prints the configuration's path."""
    try:
        sys.stdout.write(f"{assemble(WORK)}\n")
    except ValueError as error:  # NavError is one
        sys.stderr.write(f"docs: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
