"""What a page's form sends: ``application/x-www-form-urlencoded``, read without a library of its own."""

from urllib.parse import parse_qsl

from starlette.requests import Request

from gateway_shadow.problems import Problem

MEDIA_TYPE = "application/x-www-form-urlencoded"
MOST_FIELDS = 1000
TOKEN_FIELD, TOKEN_HEADER = "csrf_token", "x-csrf-token"


async def form_of(request: Request) -> dict[str, str]:
    """Fields by name; of one that is there twice the last. Raises Problem."""
    if not is_form(request):
        raise Problem(415, "bad_media_type", f"Content-Type: expected {MEDIA_TYPE}")
    try:
        text = (await request.body()).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise Problem(400, "bad_form", f"body: expected a form in UTF-8 of at most {MOST_FIELDS} fields") from None


def is_form(request: Request) -> bool:
    """Whether the body says that it is a form's."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == MEDIA_TYPE


async def token_said(request: Request) -> str:
    """The token against forgery that a request brings: in its header, else in its form."""
    header = request.headers.get(TOKEN_HEADER)
    if header is not None:
        return header
    return (await form_of(request)).get(TOKEN_FIELD, "") if is_form(request) else ""
