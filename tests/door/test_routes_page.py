"""The page of all routes is that of the program, and the door's own page leads to it."""

from gateway_shadow.routes_page import PAGE, document, page_of


def test_every_route_stands_on_the_page_of_routes_as_the_api_describes_it() -> None:
    assert PAGE.read_text() == page_of(document()), "run: make schemas"


def test_every_route_says_what_it_does() -> None:
    nameless = [
        f"{method} {path}"
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if not operation.get("description")
    ]
    assert nameless == []


def test_the_page_of_the_door_leads_to_it() -> None:
    assert f"]({PAGE.name})" in PAGE.with_name("http.md").read_text()
