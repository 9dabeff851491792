"""What is asked before a call: who would make it, of which model, how large. Names and counts, as an event has them."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from spendgate.model.decode import Fault, explain
from spendgate.model.event import Cost, Count
from spendgate.model.money import MAX_COST_NANO_USD
from spendgate.model.text import EXPECTED, Name, is_name
from spendgate.model.unreadable import UNREADABLE


class Question(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """A call that is about to be made. The cost is the estimate, or what model and tokens cost by the price book.

    Whoever asks the same again for the same call says the same ``request_id``: it is one check then, with one
    reservation and, where a person has to look, one review.
    """

    request_id: Name | None = None
    team: Name | None = None
    employee: Name | None = None
    customer: Name | None = None
    project: Name | None = None
    workflow: Name | None = None
    agent: Name | None = None
    vendor: Name | None = None
    model: Name | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    estimate_nano_usd: Cost | None = None


NUMBERS = ("input_tokens", "output_tokens", "estimate_nano_usd")
NAMES = tuple(name for name in Question.__struct_fields__ if name not in NUMBERS)
_MOST_DIGITS = len(str(MAX_COST_NANO_USD))

_decode = msgspec.json.Decoder(Question).decode


def read_question(body: bytes) -> Question | Fault:
    """The question that a body holds, or what is wrong with it."""
    try:
        question = _decode(body)
    except msgspec.ValidationError as error:
        return explain(0, str(error))
    except UNREADABLE:
        return Fault(0, "bad_json", None, "a JSON object, in UTF-8")
    for name in NAMES:
        text = getattr(question, name)
        if text is not None and not is_name(text):
            return Fault(0, "bad_characters", name, EXPECTED)
    return question


def question_of(said: Callable[[str], str | None]) -> Question:
    """The question that texts say, field by field; what is no value of its field is unknown."""
    found = {name: value for name in Question.__struct_fields__ if (value := _value(name, said(name))) is not None}
    return Question(**found)  # type: ignore[arg-type]  # each is a value of its field


def _value(name: str, text: str | None) -> str | int | None:
    if text is None:
        return None
    if name not in NUMBERS:
        return text if is_name(text) else None
    is_count = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_count and int(text) <= MAX_COST_NANO_USD else None
