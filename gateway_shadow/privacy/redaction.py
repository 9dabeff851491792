"""Redaction of content: Presidio's pattern recognisers on a spaCy pipeline, in the redactor's process alone.

Without a model the pipeline is blank, and no name can be found in it. So text in which letters are left, once patterns
are replaced, is **free text**, and content that has any is not redacted but refused. With a model (the operator's, by
its path) persons, places, groups and organisations are found too.

What any recogniser sees is replaced, however unsure it is: a number too many that is gone harms less than one too few.
Names of fields and numbers are looked at like text, but a name that looks like an identifier is no free text. Long runs
without spaces (keys, base64, hexadecimal, escapes) may hold anything and are replaced as a whole.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import spacy
from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer
from presidio_analyzer import predefined_recognizers as known
from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
from spacy.language import Language

from spendgate.model.text import echo_field

MOST_CHARS = 100_000
"""Of one text."""
FREE_TEXT = "no free text: this door has no model that finds names in it (SPENDGATE_PRIVACY_MODEL)"
TOO_LONG = f"texts of at most {MOST_CHARS} characters"
NAMES = ("PERSON", "LOCATION", "NRP", "ORGANIZATION")
"""What a model finds; times and numbers are left to the patterns."""
WORDS = frozenset((
    "role", "content", "type", "text", "name", "parts", "part", "id", "index", "message", "messages", "tool_calls",
    "tool_call", "tool_call_id", "tool_call_response", "function", "function_call", "arguments", "result", "response",
    "finish_reason", "refusal", "annotations", "image_url", "url", "detail", "input_text", "output_text", "reasoning",
    "thinking", "system", "developer", "user", "assistant", "tool", "model", "stop", "length", "content_filter",
    "prompt", "object", "call_id", "status", "completed", "input", "output", "tool_use", "tool_result",
    "gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.prompt",
    "gen_ai.completion",
))  # fmt: skip
"""The words that a conversation is written down with: names of fields, and what stands alone in some of them."""
_OPAQUE = re.compile(
    r"data:[a-zA-Z0-9.+/;=-]{0,100},\S*"  # a data URL
    r"|[A-Za-z0-9+/_=%~.-]{32,}"
    r"|(?:\\+u[0-9a-fA-F]{4}){4,}"
    r"|\S{200,}",  # some patterns take time by the square of a run's length
)
OPAQUE = "<OPAQUE>"
_SHORT_IPV6 = Pattern("IPv6", r"(?<![\w:.])(?=[0-9A-Fa-f:.]{0,40}::)[0-9A-Fa-f:.]{2,45}(?![\w:])", 0.6)
"""Of a shortened address Presidio's own pattern finds a part."""
_DIGITS = Pattern("digits", r"\+?\(?\d(?:[ ().\-/]{0,3}\d){6,}", 0.01)
"""Seven digits and more, however grouped: the grammar of telephone numbers finds none before another number."""


class NotRedacted(Exception):
    """Content that cannot be redacted. The message says what was expected, and nothing of it."""


class _Found(NamedTuple):
    """What stands in a text, and where."""

    start: int
    end: int
    score: float
    kind: str


class Redaction:
    """Redacts content. ``model``: the folder of a spaCy model that finds names, or None."""

    def __init__(self, model: Path | None) -> None:
        pipeline = spacy.blank("en") if model is None else spacy.load(model)
        self._language = str(pipeline.lang)
        self._finds_names = model is not None
        # Not by Presidio's AnalyzerEngine: it weighs what was found by the words around, which is most of its time, and
        # here everything counts that was found.
        self._engine = _engine(pipeline)
        self._recognisers = list(_recognisers(self._language, names=self._finds_names))

    def content(self, raw: bytes) -> bytes:
        """Content, as JSON, redacted. Raises NotRedacted."""
        try:
            redacted = self._value(json.loads(raw))
        except RecursionError:
            raise NotRedacted("JSON that is not nested too deeply") from None
        return json.dumps(redacted, ensure_ascii=False, separators=(",", ":")).encode()

    def _value(self, value: Any) -> Any:
        match value:
            case dict():
                return self._object(value)
            case list():
                return [self._value(each) for each in value]
            case str():
                return self._string(value)
            case bool() | None:
                return value
        text = self.text(str(value))
        return value if text == str(value) else text

    def _string(self, text: str) -> str:
        """JSON within a text is looked at part by part: a model finds no name among its quotes and brackets."""
        if text[:1] in ("{", "["):
            try:
                return json.dumps(self._value(json.loads(text)), ensure_ascii=False)
            except ValueError:
                pass
        return self.text(text)

    def _object(self, given: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in given.items():
            shown = name if name in WORDS else self.text(name, is_name=True)
            if shown in found:
                shown = f"{shown}#{len(found)}"
            found[shown] = self._value(value)
        return found

    def text(self, text: str, *, is_name: bool = False) -> str:
        """A text, or the name of a field, with the kind of what was found in its place: ``<EMAIL_ADDRESS>``.

        Raises NotRedacted.
        """
        if not text or text in WORDS:
            return text
        if len(text) > MOST_CHARS:
            raise NotRedacted(TOO_LONG)
        may_be_words = self._finds_names or (is_name and echo_field(text) == text)
        return OPAQUE.join(
            self._piece(piece, may_be_words=may_be_words) if piece.strip() else piece for piece in _OPAQUE.split(text)
        )

    def _piece(self, text: str, *, may_be_words: bool) -> str:
        artifacts = self._engine.process_text(text, self._language)
        spans = _merged(
            _Found(each.start, each.end, each.score, each.entity_type)
            for recogniser in self._recognisers
            for each in recogniser.analyze(text, recogniser.supported_entities, artifacts)
        )
        parts, at = [], 0
        for span in spans:
            parts += [text[at : span.start], f"<{span.kind}>"]
            at = span.end
        parts.append(text[at:])
        if not may_be_words and any(char.isalpha() for part in parts[::2] for char in part):
            raise NotRedacted(FREE_TEXT)
        return "".join(parts)


def _merged(found: Iterable[_Found]) -> list[_Found]:
    """Spans in order that do not touch, each named for what is surest in it."""
    merged: list[_Found] = []
    for each in sorted(found):
        if merged and each.start < merged[-1].end:
            last = merged.pop()
            surest = max(last, each, key=lambda span: (span.score, span.end - span.start))
            merged.append(surest._replace(start=last.start, end=max(last.end, each.end)))
        else:
            merged.append(each)
    return merged


def _recognisers(language: str, *, names: bool) -> Iterable[EntityRecognizer]:
    """The pattern recognisers, named one by one, so that another version of Presidio does not change them unseen.

    Telephone numbers have a grammar instead of a pattern. An e-mail address needs no known domain here: Presidio would
    ask the network which domains there are.
    """
    for kind in (
        known.CreditCardRecognizer, known.CryptoRecognizer, known.DateRecognizer, known.IbanRecognizer,
        known.IpRecognizer, known.MacAddressRecognizer, known.MedicalLicenseRecognizer, known.NhsRecognizer,
        known.PhoneRecognizer, known.UrlRecognizer, known.UsBankRecognizer, known.UsItinRecognizer,
        known.UsLicenseRecognizer, known.UsPassportRecognizer, known.UsSsnRecognizer,
    ):  # fmt: skip
        yield kind(supported_language=language)
    for kind_of, patterns in (
        ("EMAIL_ADDRESS", known.EmailRecognizer.PATTERNS), ("IP_ADDRESS", [_SHORT_IPV6]), ("PHONE_NUMBER", [_DIGITS]),
    ):  # fmt: skip
        yield PatternRecognizer(kind_of, patterns=patterns, supported_language=language)
    if names:
        yield known.SpacyRecognizer(supported_language=language, supported_entities=list(NAMES))


def _engine(pipeline: Language) -> SpacyNlpEngine:
    """Presidio's engine around a pipeline that has been loaded: its own loader would fetch one."""
    engine = SpacyNlpEngine(
        models=[{"lang_code": str(pipeline.lang), "model_name": "given"}],
        ner_model_configuration=NerModelConfiguration(labels_to_ignore=[], low_score_entity_names=[]),
    )
    engine.nlp = {pipeline.lang: pipeline}  # type: ignore[assignment]  # (what Presidio's documents do)
    return engine
