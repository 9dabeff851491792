"""Forms of the dashboard: they do what a route of the API does, and show what it says."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from fastapi import Response
from pydantic import BaseModel, ValidationError
from starlette.responses import RedirectResponse

from gateway_shadow.problems import Problem, fields_of, of_store
from policy_store.errors import StoreAway, StoreError

M = TypeVar("M", bound=BaseModel)
AGAIN = (403, 404, 409, 412, 422, 428, 503)
"""What a form may be answered with and be shown again."""


def acted(act: Callable[[], str], again: Callable[[Problem], Response]) -> Response:
    """Do it, and lead to the address that it gives; where it is refused, ``again`` shows the form with the problem."""
    try:
        return RedirectResponse(act(), 303)
    except (Problem, StoreError) as error:
        return refused(error, again)


def refused(error: Problem | StoreError, again: Callable[[Problem], Response]) -> Response:
    """The form again, with why. Raises what a form cannot say: a store that is away, a fault."""
    problem = of_store(error) if isinstance(error, StoreError) else error
    if isinstance(error, StoreAway) or problem.status_code not in AGAIN:
        raise error
    answer = again(problem)
    answer.status_code = problem.status_code
    return answer


def read_as(kind: type[M], /, **said: object) -> M:
    """What a form has said, as the API's own document. Raises Problem with every field that is not as expected."""
    try:
        return kind.model_validate({name: value for name, value in said.items() if value is not None})
    except ValidationError as error:
        raise Problem(422, "bad_field", "see the fields", fields_of(error.errors())) from None


def revision_of(form: dict[str, str]) -> int:
    """The revision that the form was made for. Raises Problem."""
    text = form.get("revision", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Problem(428, "no_revision", "revision: expected the one that the page had; load it again")
    return int(text)


def whole(text: str) -> int | str:
    """A whole number that was typed; what is none stays as it is, for its error."""
    return int(text) if text.isascii() and text.strip().isdecimal() and len(text) < 16 else text


def items_of(text: str | None) -> list[str]:
    """What was typed with commas between."""
    return [each.strip() for each in (text or "").split(",") if each.strip()]


def chosen(words: Mapping[str, int], said: str | None) -> int | None:
    """The number that a choice's words stand for."""
    return words.get(said or "")


OVERLAPS = {"an hour": 3600, "a day": 86_400, "a week": 604_800, "not at all": 0}
"""For how long an old secret goes on beside a new one, in seconds."""


def or_none(text: str | None) -> str | None:
    """What somebody has typed, None where that is nothing."""
    return (text or "").strip() or None


def placed(problem: Problem | None, names: Iterable[str]) -> Problem | None:
    """The same, each error at the field of the form that shows its place: the name that the place begins with."""
    if problem is None or not problem.errors:
        return problem
    known = sorted(names, key=len, reverse=True)
    errors = [each.model_copy(update={"field": _field_of(each.field, known)}) for each in problem.errors]
    return Problem(problem.status_code, problem.code, problem.detail, errors)


def _field_of(place: str | None, names: Sequence[str]) -> str | None:
    fitting = (name for name in names if place is not None and f"{place}.".startswith(f"{name}."))
    return next(fitting, place)
