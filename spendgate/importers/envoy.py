"""Envoy's rate limits: descriptors of its rate limit service, and token-cost rules of Envoy Gateway and AI Gateway.

Both count units, not money: a limit is carried only where ``--unit-usd`` says what one unit of a domain (or of a
cost metadata key) is worth, as for a gateway whose CEL expression adds up micro-dollars. A limit of zero forbids,
whatever it counts, and is carried as a boundary.
"""

from collections.abc import Mapping

from spendgate.importers.carrying import Carrying
from spendgate.importers.drafting import Drafts, Imported
from spendgate.importers.envoy_descriptors import carry_service
from spendgate.importers.envoy_gateway import carry_gateway
from spendgate.importers.envoy_limits import Session
from spendgate.importers.reading import Data, NotImportable, read_documents
from spendgate.importers.values import nano_of

EXPECTED = "expected a rate limit service's config (domain, descriptors), or a BackendTrafficPolicy with rateLimit"


def import_envoy(raw: bytes, mapping: Mapping[str, str], units: Mapping[str, str]) -> Imported:
    """The policies of a file of one document or several.

    ``mapping`` names the scope field of a descriptor key or header, ``units`` the dollars that one unit of a domain
    or cost metadata key is worth. Raises NotImportable.
    """
    documents = read_documents(raw)
    data: Data = documents[0] if len(documents) == 1 else list(documents)
    places = [()] if len(documents) == 1 else [(i,) for i in range(len(documents))]
    session = Session(Carrying(data), Drafts("envoy"), mapping, _nano_per_unit(units))
    found = [carry(session, place) for place in places for carry in (carry_service, carry_gateway)]
    if not any(found):
        raise NotImportable(EXPECTED)
    return session.drafts.imported(session.carrying)


def _nano_per_unit(units: Mapping[str, str]) -> dict[str, int]:
    found = {name: nano_of(usd) for name, usd in units.items()}
    if not all(found.values()):
        raise NotImportable("--unit-usd: expected KEY=DOLLARS, more than zero, such as llm_cost=0.000001")
    return {name: nano_usd for name, nano_usd in found.items() if nano_usd}
