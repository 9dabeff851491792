"""The dashboard: pages for people, rendered here, in the door's own process. See docs/pages.md.

How to add a page, say *Things*:

1. ``things.py``: the routes of the page and nothing else, ``router = pages_router()``. A route asks for its caller as
   the API does (``caller: Reader``, ``Editor``, ...), and gets and changes everything by **the functions of the API's
   own routes** (``manage_things.list_things(caller, parts)``), so that a page shows what the API shows, and refuses
   what it refuses. It ends with ``show(request, parts, caller, "things.html", ...)``. What changes something is a form:
   ``form: Form``, then ``acted(...)``, which leads on, or shows the page again with every error at its field and all
   that was typed; ``placed(problem, names)`` puts an error of the API's document at the field that shows its place.
   What a page alone shows once (a new key) answers itself, by ``refused(...)`` where it is refused. The form's token
   against forgery is ``{{ forms.token(frame) }}``; the dependency has checked it.
2. ``things_view.py``: what the page says, worked out from the API's documents. Pure, and tested without a server.
3. ``templates/things.html``: extends ``base.html``. Macros for numbers, times, verdicts, empty states and forms stand
   in ``macros.html`` and ``forms.html``. No inline script or style: the policy of ``rendering.py`` would not run it.
   An empty state says what to do next.
4. Its router in ``routes.py``, its place in ``navigation.py``, its address in ``tests/pages/addresses.py``: then the
   laws that hold for every page (roles, headers, labels, tenants) are tested of it, too.

A store that is away: read it within ``section(...)``, and the page says which store it is, since when, and what that
means, in the place of the numbers.
"""
