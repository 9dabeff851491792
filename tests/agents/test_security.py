"""A worker speaks to Kafka as its environment says: every client of it, and not at all where a word is unknown."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from agents.config import Config
from agents.exits import Fatal
from agents.faust_private import auth_of
from agents.roles import common
from agents.roles.shadow_worker import build
from agents.security import Security
from spendgate.model.topics import load_topics

WRONG_USAGE, MISSING = 2, 3
SERVERS = {"SPENDGATE_KAFKA": "broker:9092", "SPENDGATE_REDIS": "redis://127.0.0.1:1/0", "SPENDGATE_DEV": "1"}
SASL = {
    "SPENDGATE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "SPENDGATE_KAFKA_USERNAME": "worker",
    "SPENDGATE_KAFKA_PASSWORD": "a secret",
}
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUCvKyU48n6XwBvMO6LxdiTGAk7GowCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjQwNDI4NDRaGA8yMTI2MTAzMTA0Mjg0
NFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGpQ
mxjYnal8UKGVEtPIM/xrEKc5o+9wxhIeKLy1ybi/pkLnjrQk1/enRrzoNau0xzAk
eAuLHDd8+8RLsKGCHA2jUzBRMB0GA1UdDgQWBBTiHRiR8hAZiEC9/2LgbZQ08bsU
pzAfBgNVHSMEGDAWgBTiHRiR8hAZiEC9/2LgbZQ08bsUpzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCID/j1jpUxzOEd6EPoPf0nvNAwD2AkhdmVbMi
y/fZCoHSAiBPwN7cIC7PN8g3x3PzMBPRu1jl+W49JvSa+thRaXQ3WQ==
-----END CERTIFICATE-----
"""
"""Of nobody: what a context is built from, and no broker shows."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    def given(**values: str) -> Config:
        for name, value in {**SERVERS, **values}.items():
            monkeypatch.setenv(name, value)
        return Config.from_environment()

    return given


def test_nothing_said_is_plaintext(environment: Any) -> None:
    security = environment().security
    assert security.credentials is None
    assert dict(security.aiokafka) == {"security_protocol": "PLAINTEXT"}
    assert dict(security.kafka_python) == {}


def test_tls_trusts_the_named_file_alone(environment: Any, tmp_path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    trusted.write_text(CERTIFICATE)
    found = environment(SPENDGATE_KAFKA_SECURITY="SSL", SPENDGATE_KAFKA_CA_FILE=str(trusted)).security.aiokafka
    assert found["security_protocol"] == "SSL"
    assert found["ssl_context"].verify_mode == ssl.CERT_REQUIRED
    assert found["ssl_context"].check_hostname
    (authority,) = found["ssl_context"].get_ca_certs()
    assert authority["subject"] == ((("commonName", "test"),),)


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_a_user_is_named_to_the_broker(environment: Any, protocol: str) -> None:
    found = environment(SPENDGATE_KAFKA_SECURITY=protocol, **SASL).security.aiokafka
    assert (found["security_protocol"], found["sasl_mechanism"]) == (protocol, "SCRAM-SHA-512")
    assert (found["sasl_plain_username"], found["sasl_plain_password"]) == ("worker", "a secret")
    assert (found["ssl_context"] is not None) == (protocol == "SASL_SSL")


def test_every_client_of_a_worker_is_given_it(environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def topic_id(*_: str, **keywords: Any) -> str:
        asked.update(keywords)
        return "id"

    monkeypatch.setattr(common, "topic_id", topic_id)
    config = environment(SPENDGATE_KAFKA_SECURITY="SASL_PLAINTEXT", **SASL)
    made = build(config, load_topics())
    shadow: Any = made.overseer.lanes.handler  # type: ignore[attr-defined]
    wanted = dict(config.security.aiokafka)
    assert dict(auth_of(made)) == wanted
    assert dict(shadow.documents._auth) == dict(shadow.rebuild.log._auth) == wanted
    assert asked["security"]["sasl_plain_username"] == "worker"


@pytest.mark.parametrize(
    ("values", "code", "named"),
    [
        ({"SPENDGATE_KAFKA_SECURITY": "TLS"}, WRONG_USAGE, "SPENDGATE_KAFKA_SECURITY"),
        ({"SPENDGATE_KAFKA_SASL_MECHANISM": "GSSAPI"}, WRONG_USAGE, "SPENDGATE_KAFKA_SASL_MECHANISM"),
        ({"SPENDGATE_KAFKA_SECURITY": "SSL", "SPENDGATE_KAFKA_CA_FILE": "/nowhere"}, MISSING, "CA_FILE"),
    ],
)
def test_what_is_no_such_word_ends_the_worker(environment: Any, values: dict[str, str], code: int, named: str) -> None:
    with pytest.raises(Fatal, match=named) as ended:
        environment(**values)
    assert ended.value.code == code


def test_a_file_that_holds_no_certificate_ends_the_worker(environment: Any, tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")
    with pytest.raises(Fatal, match="CA_FILE"):
        environment(SPENDGATE_KAFKA_SECURITY="SSL", SPENDGATE_KAFKA_CA_FILE=str(empty))


def test_a_security_shows_no_password() -> None:
    made = Security({"sasl_plain_password": "a secret"}, None)
    assert "a secret" not in repr(made)
