"""The pages, and the blocks of code in them."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from dev.places import CHECKOUT

PAGES = sorted(
    each.relative_to(CHECKOUT).as_posix()
    for each in (*(CHECKOUT / "docs").rglob("*.md"), *(CHECKOUT / f"{name}.md" for name in
                 ("README", "CONTRIBUTING", "ARCHITECTURE", "SECURITY")))
)  # fmt: skip
_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>run(?:: \w+)?|file: [\w.-]+) -->\n)?"
    r"(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
RUN_UNMARKED = {("README.md", "$ spendgate validate examples/*.yaml"): "run"}
"""Blocks that are marked here, by their first line, and not on their page: a front page bears no comments for tests."""
_SHELL = frozenset({"console", "bash", "sh"})
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_CUT = re.compile(r"\s(?:[|;]|&&|>>?|2>&1|#.*)(?:\s|$)|;\s|\n|\$\(")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; ``mark`` is the comment before it: ``run``, ``run: stack``, ``run: kafka``,
    ``run: system``, ``run: install``, ``run: background`` or ``file: NAME``."""

    mark: str
    language: str
    text: str

    def steps(self) -> Iterator[tuple[str, str]]:
        """Commands of a console block, each with the output that follows."""
        command, output = "", list[str]()
        for line in re.sub(r"\\\n\s*", " ", self.text).splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, "\n".join(output)
                command, output = line[2:], []
            else:
                output.append(line)
        if command:
            yield command, "\n".join(output)

    def commands(self) -> Iterator[str]:
        """What is typed into a shell: of a console block its commands, of a shell's every line."""
        if self.language == "console":
            yield from (command for command, _ in self.steps())
        elif self.language in _SHELL:
            yield from filter(None, map(str.strip, re.sub(r"\\\n\s*", " ", self.text).splitlines()))


def text_of(page: str) -> str:
    """A page's Markdown, without rows that say of something that it is not there."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    return "".join(line for line in text.splitlines(keepends=True) if not line.endswith("| not there |\n"))


def blocks(page: str) -> list[Block]:
    """Its fenced blocks, in order."""
    found = _BLOCK.finditer(text_of(page))
    return [
        Block(each["mark"] or _unmarked(page, each["text"]), each["language"], dedent(each["text"])) for each in found
    ]


def _unmarked(page: str, text: str) -> str:
    return RUN_UNMARKED.get((page, text.partition("\n")[0]), "")


def prose(page: str) -> str:
    """It without its blocks."""
    return _BLOCK.sub("", text_of(page))


def lines_of_shell(page: str) -> Iterator[str]:
    """What is typed into a shell on the page: in blocks, continued lines joined, output left out."""
    for block in blocks(page):
        if block.language in _SHELL:
            for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
                if block.language != "console":
                    yield line.strip()
                elif line.lstrip().startswith("$ "):
                    yield line.lstrip()[2:]


def spoken(page: str) -> Iterator[list[str]]:
    """Commands that begin with ``spendgate``, as words: whole ones of blocks, and those of code in the prose."""
    for line in (*lines_of_shell(page), *_CODE.findall(prose(page))):
        for part in _CUT.split(line):
            with suppress(ValueError):
                words = shlex.split(part)
                if "spendgate" in words[:3]:
                    yield words[words.index("spendgate") :]


def code(page: str) -> Iterator[str]:
    """Everything on the page that is set as code."""
    yield from _CODE.findall(prose(page))
    yield from (each.text for each in blocks(page))


def target_of(page: str, link: str) -> Path:
    """Where a relative link of a page leads."""
    return (CHECKOUT / page).parent / link
