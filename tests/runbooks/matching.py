"""Whether a command printed what a runbook says. Names, times and ports differ from run to run: a name that the page
shows stands for the one that was printed in its place, there and in every later command."""

import re

NAME = (
    r"\b(?:stg|flip|crt|rec|chk|wvr|alr|job)-[0-9a-f]{6,32}\b|\bsgk_[\w-]+|\bwhsec_[\w+/]+=*|"
    r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{12}(?![\w-])"
)
_PRINTED = r"((?:stg|flip|crt|rec|chk|wvr|alr|job)-[0-9a-f]{6,32}|sgk_[\w-]+|whsec_[\w+/]+=*|[\w-]{12})"
"""A name as a page shows it, and as it is printed: a key's has letters of both kinds nearly always, and a digit."""
_VARIES = (
    r"\b127\.0\.0\.1:\d+",
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|\+00:00)?",
    r"\d{4}-\d\d-\d\d",
    r"\b[0-9a-f]{64}\b",
    r"\b[0-9a-f]{40}\b",
    r"\b[0-9a-f]{16}\b",
    r"\b[0-9a-f]{12}\b",
    r"[A-Za-z0-9+/]{43}=",
    r"\.\.\.",
    r"\s+",
)
_TOKEN = re.compile("|".join(f"({each})" for each in (NAME, *_VARIES)))


class Names:
    """The names of a page, and those that they stand for in this run."""

    def __init__(self) -> None:
        self._bound: dict[str, str] = {}
        self.printed: list[str] = []

    def put_in(self, command: str) -> str:
        """The command, with the names of this run."""
        for shown, real in self._bound.items():
            command = command.replace(shown, real)
        return command

    def latest_instead_of(self, shown: str) -> str | None:
        """For a name that nothing has printed: the latest of its kind that was."""
        kind = shown.partition("-")[0]
        if shown in self._bound or shown in self.printed:
            return None
        return next((each for each in reversed(self.printed) if each.startswith(f"{kind}-")), None)

    def lacking(self, expected: list[str], printed: str) -> str | None:
        """The first of the lines that was not printed, in their order; None where all were. Where one lacks, no name is
        bound: what is printed when it is asked again has names of its own."""
        left, before = iter(printed.splitlines()), dict(self._bound)
        for line in expected:
            if line.strip() != "..." and not any(self._is(line, each) for each in left):
                self._bound = before
                return line
        return None

    def _is(self, line: str, printed: str) -> bool:
        pattern, shown = self._pattern(line.strip())
        found = re.fullmatch(pattern, printed.strip())
        if found is None:
            return False
        self._bound |= dict(zip(shown, found.groups(), strict=True))
        return True

    def _pattern(self, line: str) -> tuple[str, list[str]]:
        parts, shown, at = [], list[str](), 0
        for token in _TOKEN.finditer(line):
            parts.append(re.escape(line[at : token.start()]))
            at, text = token.end(), token[0]
            if token[1] is None:
                parts.append(r".*" if text == "..." else _VARIES[int(token.lastindex or 2) - 2])
            elif text in self._bound:
                parts.append(re.escape(self._bound[text]))
            elif text in shown:
                parts.append(rf"\{shown.index(text) + 1}")
            else:
                shown.append(text)
                parts.append(_PRINTED)
        return "".join(parts) + re.escape(line[at:]), shown
