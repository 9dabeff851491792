"""All pages; the composition root includes them."""

from gateway_shadow.pages import assets, design, overview, policies, shadow

PAGES = tuple(each.router for each in (assets, overview, shadow, policies, design))
