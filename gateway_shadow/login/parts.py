"""What signing in stands on, made once by the composition root."""

from dataclasses import dataclass

from gateway_shadow.login.arrivals import Arrivals
from gateway_shadow.login.config import LoginConfig
from gateway_shadow.login.provider import Provider
from gateway_shadow.login.secrets import Secrets
from gateway_shadow.login.site import Site
from gateway_shadow.login.visitors import Visitors
from gateway_shadow.patience import Patience
from policy_store.change import Changes
from policy_store.signing import Signer

CALLBACK = "/login/oidc/callback"


@dataclass
class Login:
    """``provider``: None where none is configured."""

    config: LoginConfig
    site: Site
    secrets: Secrets
    visitors: Visitors
    arrivals: Arrivals
    provider: Provider | None


def login_of(config: LoginConfig, changes: Changes, signer: Signer, patience: Patience) -> Login:
    """The parts, wired; nothing is asked of a provider yet."""
    site, secrets, oidc = Site(config.public_url), Secrets(signer), config.oidc
    return Login(
        config, site, secrets,
        Visitors(changes.database, site, patience, oidc.rules_sha256 if oidc else None),
        Arrivals(changes, config, secrets),
        Provider(oidc, f"{config.public_url}{CALLBACK}") if oidc else None,
    )  # fmt: skip
