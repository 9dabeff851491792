"""All pages; the composition root includes them."""

from gateway_shadow.pages import assets, overview, shadow

PAGES = tuple(each.router for each in (assets, overview, shadow))
