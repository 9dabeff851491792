"""Settings of sign-in: all of them or none, each error names its setting, and no value is repeated."""

from pathlib import Path

import pytest

from gateway_shadow.login.config import BadLogin, LoginConfig, read_login
from gateway_shadow.login.grants import GrantRule

GRANTS = "grants:\n  - {group: finance, tenant: acme, role: approver}\n  - {group: all, tenant: labs, role: viewer}\n"


@pytest.fixture
def said(tmp_path: Path) -> dict[str, str]:
    """An environment with a provider."""
    (tmp_path / "grants.yaml").write_text(GRANTS)
    (tmp_path / "secret").write_text("very-secret\n")
    return {
        "SPENDGATE_PUBLIC_URL": "https://spend.example.com/", "SPENDGATE_OIDC_ISSUER": "https://idp.example.com/realm/",
        "SPENDGATE_OIDC_CLIENT_ID": "spendgate", "SPENDGATE_OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        "SPENDGATE_OIDC_GRANTS_FILE": str(tmp_path / "grants.yaml"), "PATH": "/bin",
    }  # fmt: skip


def test_without_settings_there_is_no_provider() -> None:
    assert read_login({"PATH": "/bin", "SPENDGATE_OIDC_ISSUER": ""}) == LoginConfig()


def test_a_provider_as_it_is_configured(said: dict[str, str]) -> None:
    found = read_login({**said, "SPENDGATE_OIDC_TENANTS": "acme", "SPENDGATE_SESSION_IDLE_S": "600"})
    assert (found.public_url, found.idle_s) == ("https://spend.example.com", 600)
    assert found.oidc is not None
    assert found.oidc.issuer == "https://idp.example.com/realm/", "to the letter: an issuer is compared so"
    assert found.oidc.rules == (GrantRule("finance", "acme", "approver"),)
    assert found.oidc.client_secret == "very-secret"
    assert "very-secret" not in repr(found)


def test_other_rules_have_another_name(said: dict[str, str]) -> None:
    one, other = read_login(said).oidc, read_login({**said, "SPENDGATE_OIDC_TENANTS": "acme"}).oidc
    assert one is not None
    assert other is not None
    assert one.rules_sha256 != other.rules_sha256


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ISSUER", "http://idp.example.com", "ISSUER: expected an address that begins with https://"),
        ("ISSUER", "https://user:sentinel@idp.example.com", "ISSUER: expected an address"),
        ("ISSUER", "https://[sentinel", "ISSUER: expected an address"),
        ("CLIENT_ID", "", "expected SPENDGATE_OIDC_CLIENT_ID"),
        ("CLIENT_SECRET_FILE", "/sentinel", "CLIENT_SECRET_FILE: expected a file"),
        ("GRANTS_FILE", "/nowhere.yaml", "GRANTS_FILE: /nowhere.yaml: expected a file that can be read"),
        ("TENANTS", "elsewhere", "TENANTS: expected tenants of SPENDGATE_OIDC_GRANTS_FILE"),
        ("EMAIL_UNVERIFIED", "sentinel", "EMAIL_UNVERIFIED: expected one of refused, taken"),
        ("ALGORITHMS", "RS256,none", "ALGORITHMS: expected some of RS256"),
        ("ALGORITHMS", "HS256", "ALGORITHMS: expected some of RS256"),
        ("SKEW_S", "sentinel", "SKEW_S: expected whole seconds, from 0 to 300"),
        ("KEY_S", "1", "KEY_S: expected whole seconds, from 60"),
        ("SCOPES", "email", "SCOPES: expected openid among them"),
        ("ISUER", "sentinel", "SPENDGATE_OIDC_ISUER: there is no setting of this name"),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_not_repeated(
    said: dict[str, str], name: str, value: str, words: str
) -> None:
    with pytest.raises(BadLogin) as told:
        read_login({**said, f"SPENDGATE_OIDC_{name}": value})
    assert words in str(told.value)
    assert "sentinel" not in str(told.value)


@pytest.mark.parametrize(
    "url", [None, "http://spend.example.com", "https://spend.example.com/path", "spend.example.com"]
)
def test_people_are_sent_back_to_an_https_address_without_a_path(said: dict[str, str], url: str | None) -> None:
    with pytest.raises(BadLogin, match="SPENDGATE_PUBLIC_URL"):
        read_login({**said, "SPENDGATE_PUBLIC_URL": url or ""})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("grants:\n  - {group: a, tenant: acme, role: ingest}\n", "grants[0].role: "),
        ("grants:\n  - {group: a, tenant: two words, role: viewer}\n", "grants[0].tenant: 1 to 128 printable"),
        ("grants:\n  - {group: a, tenant: acme}\n", "grants[0].role: "),
        ("grants:\n  - {group: a, tenant: acme, role: viewer, sentinel: 1}\n", "grants[0].sentinel: expected only"),
        ("grants: []\n", "grants: "),
        ("- sentinel\n", "the file: "),
        ("", "the file: "),
        ("grants: [\n", ":2:1: expected YAML"),
    ],
)
def test_a_file_of_grants_that_is_wrong_is_told_by_place(said: dict[str, str], text: str, words: str) -> None:
    Path(said["SPENDGATE_OIDC_GRANTS_FILE"]).write_text(text)
    with pytest.raises(BadLogin) as told:
        read_login(said)
    assert words in str(told.value)
    assert "two words" not in str(told.value)
