"""The pages of signing in: small, rendered here, without a script, and nothing of them is kept by a browser.

A form's answer never redirects to another host: a page's ``form-action 'self'`` would stop it there. It is a page that
leads on instead.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from typing import NamedTuple

from starlette.responses import HTMLResponse

from gateway_shadow.login.forms import TOKEN_FIELD
from policy_store.sessions import Grant

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 30rem; padding: 2rem 1rem; }
h1 { font-size: 1.4rem; }
form { margin: 1.5rem 0; }
fieldset { border: 1px solid; border-radius: .3rem; margin: 0 0 1rem; }
label { display: block; margin: .5rem 0; }
input[type=password] { box-sizing: border-box; display: block; font: inherit; padding: .5rem; width: 100%; }
button, a.button { border: 2px solid; border-radius: .3rem; background: none; color: inherit; cursor: pointer;
  display: inline-block; font: inherit; padding: .5rem 1rem; text-decoration: none; }
code { overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid; outline-offset: 2px; }
"""
_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser would say `Origin: null` of our own forms
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class You(NamedTuple):
    """Who is signed in, for a page. ``token``: against forgery."""

    person: str
    active: Grant
    grants: Sequence[Grant]
    token: str


class Asked(NamedTuple):
    """What a command asks for; ``port``: where it listens on this machine, empty where it does not."""

    port: str
    state: str
    challenge: str
    tenant: str
    role: str


def page(title: str, body: Iterable[str], status: int = 200, onward: str | None = None) -> HTMLResponse:
    """A whole page. ``onward``: where the browser goes from here by itself."""
    refresh = f'<meta http-equiv="refresh" content="0; url={escape(onward)}">' if onward else ""
    text = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)} - Spendgate</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}<style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>\n{''.join(body)}</main></body></html>\n"
    )
    return HTMLResponse(text, status, HEADERS)


def sign_in(to: str, provider: str | None) -> HTMLResponse:
    """How to get in. ``provider``: its name; ``to``: where to go then, already quoted for an address."""
    by_provider = f'<p><a class="button" href="/login/oidc?next={to}">Sign in with {escape(provider or "")}</a></p>\n'
    by_key = (
        f'<form method="post" action="/login/key?next={to}"><label>Key <input type="password" name="key" required '
        'autocomplete="off" placeholder="sgk_..."></label><button>Sign in with a key</button></form>\n'
    )
    return page("Sign in", [by_provider if provider else "", by_key])


def signed_in(you: You, to: str, onward: str) -> HTMLResponse:
    """Who one is; which grant is in force; the way out. ``onward``: where one wanted to go."""
    others = [each for each in you.grants if each != you.active]
    return page("You are signed in", [
        f"<p><strong>{escape(you.person)}</strong>, {_words(you.active)}</p>\n",
        f'<p><a class="button" href="{escape(onward)}">Go on</a></p>\n' if onward else "",
        *(_form(f"/login/switch?next={to}", you, {"tenant": each.tenant, "role": each.role}, f"Be {_words(each)}")
          for each in others),
        _form("/logout", you, {}, "Sign out"),
    ])  # fmt: skip


def consent(you: You, asked: Asked, hours: str) -> HTMLResponse:
    """Whether a command gets a key, and as what."""
    wanted = next((each for each in (you.active, *you.grants) if _is_meant(each, asked)), you.active)
    choices = "".join(
        f'<label><input type="radio" name="grant" value="{escape(" ".join(each))}"'
        f"{' checked' if each == wanted else ''}> {_words(each)}</label>"
        for each in you.grants
    )
    fields = {"port": asked.port, "state": asked.state, "challenge": asked.challenge}
    return page("A key for your command line", [
        f"<p>The command <code>spendgate login</code> wants a key of <strong>{escape(you.person)}</strong>, good for ",
        f"{escape(hours)}. Give it only if you have run that command yourself, just now.</p>\n",
        _form("/login/cli", you, fields, "Give the key", f"<fieldset><legend>A key as</legend>{choices}</fieldset>"),
        '<p><a href="/login">No</a></p>\n',
    ])  # fmt: skip


def _is_meant(grant: Grant, asked: Asked) -> bool:
    return asked.tenant in ("", grant.tenant) and asked.role in ("", grant.role)


def code(text: str) -> HTMLResponse:
    """A code to be carried to the command by hand."""
    return page("Your code", [
        f"<p><code>{escape(text)}</code></p>\n<p>Paste it into the command within a minute. Tell it to nobody.</p>\n"
    ])  # fmt: skip


def leads(title: str, to: str) -> HTMLResponse:
    """A page that leads to another host."""
    return page(title, [f'<p><a class="button" href="{escape(to)}">Go on</a></p>\n'], onward=to)


def problem(title: str, words: str, status: int, request_id: str) -> HTMLResponse:
    """What could not be done, and what to do."""
    return page(title, [
        f"<p>{escape(words)}</p>\n<p>Request <code>{escape(request_id)}</code></p>\n",
        '<p><a class="button" href="/login">Sign in</a></p>\n',
    ], status)  # fmt: skip


def _words(grant: Grant) -> str:
    return f"{escape(grant.role)} of {escape(grant.tenant)}"


def _form(action: str, you: You, fields: dict[str, str], button: str, inside: str = "") -> str:
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in {TOKEN_FIELD: you.token, **fields}.items()
    )
    return f'<form method="post" action="{escape(action)}">{hidden}{inside}<button>{button}</button></form>\n'
