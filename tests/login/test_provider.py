"""The provider by itself: what it says of itself is checked before anybody is sent there."""

from collections.abc import Iterator

import pytest

from dev.ports import free_port
from gateway_shadow.login.config import OidcConfig
from gateway_shadow.login.provider import METADATA_S, Provider, ProviderAway
from tests.door.browser import query_of
from tests.login.provider import CLIENT, SECRET, provider
from tests.login.provider import Provider as Running

BACK = "https://spend.example.com/login/oidc/callback"


class Seconds:
    """A monotonic clock that stands still."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A provider for the module."""
    with provider() as found:
        yield found


@pytest.fixture
def idp(running: Running) -> Iterator[Running]:
    """The provider, honest again after the test."""
    yield running
    running.honest()


def asked(issuer: str, **others: object) -> Provider:
    return Provider(OidcConfig(issuer, CLIENT, SECRET, (), **others), BACK, Seconds())  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_no_two_ways_there_share_a_state_a_nonce_or_a_secret(idp: Running) -> None:
    ways = [await asked(idp.issuer).way() for _ in range(3)]
    for name in ("state", "nonce", "verifier"):
        assert len({getattr(way, name) for way in ways}) == 3
    sent = query_of(ways[0].url)
    assert (sent["redirect_uri"], sent["response_type"], sent["code_challenge_method"]) == (BACK, "code", "S256")
    assert ways[0].verifier not in ways[0].url
    assert len(ways[0].verifier) >= 43


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"issuer": "https://evil.example"}, "another issuer"),
        ({"token_endpoint": "http://evil.example/token"}, "expected https addresses"),
        ({"jwks_uri": None}, "expected https addresses"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "signs with none of RS256, ES256"),
    ],
)
async def test_a_provider_that_is_not_as_expected_gets_nobody(
    idp: Running, metadata: dict[str, object], words: str
) -> None:
    idp.metadata = metadata
    with pytest.raises(ProviderAway, match=words):
        await asked(idp.issuer).way()


@pytest.mark.asyncio
async def test_what_a_provider_says_of_itself_is_no_setting_of_ours(idp: Running) -> None:
    idp.metadata = {"verify": False, "proxy": "http://127.0.0.1:1", "scope": "openid everything", "timeout": 900}
    way = await asked(idp.issuer).way()
    assert query_of(way.url)["scope"] == "openid email profile"


@pytest.mark.asyncio
async def test_a_provider_that_does_not_answer_is_away_and_one_that_is_back_is_asked_again() -> None:
    port = free_port()
    door = asked(f"http://localhost:{port}")
    with pytest.raises(ProviderAway, match="does not answer"):
        await door.way()
    with provider(port) as idp:
        assert (await door.way()).url.startswith(idp.issuer)
        assert isinstance(door.clock, Seconds)
        idp.broken = {"/.well-known/openid-configuration"}
        door.clock.now += METADATA_S + 1
        assert (await door.way()).url.startswith(idp.issuer), "what it said before still holds"


@pytest.mark.asyncio
async def test_a_provider_that_takes_the_secret_in_the_body_alone_gets_it_there(idp: Running) -> None:
    idp.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    door = asked(idp.issuer)
    with pytest.raises(Exception, match="invalid"):
        await door.arrived("guessed", "guessed", "guessed", None)
    _, said = next(each for each in reversed(idp.seen) if each[0] == "/oauth2/token")
    assert (said["client_id"], said["client_secret"]) == (CLIENT, SECRET)


@pytest.mark.asyncio
async def test_where_a_provider_has_no_way_out_there_is_none(idp: Running) -> None:
    out = await asked(idp.issuer).way_out("id-token", "https://spend.example.com/login")
    assert out is not None
    assert query_of(out)["post_logout_redirect_uri"] == "https://spend.example.com/login"
    idp.metadata = {"end_session_endpoint": None}
    assert await asked(idp.issuer).way_out("id-token", BACK) is None
    assert await asked(f"http://localhost:{free_port()}").way_out("id-token", BACK) is None
