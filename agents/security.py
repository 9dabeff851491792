"""How a worker speaks to Kafka: the environment's SPENDGATE_KAFKA_*, as the command reads them, for all clients."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from agents.exits import Fatal
from agents.faust_private import auth_of_credentials
from spendgate.failure import Failure
from spendgate.kafka_security import kafka_security


@dataclass(frozen=True, slots=True)
class Security:
    """``kafka_python``: keywords of kafka-python's clients. ``credentials``: Faust's, None for PLAINTEXT."""

    kafka_python: Mapping[str, str] = field(default_factory=dict, repr=False)
    credentials: CredentialsT | None = None

    @classmethod
    def from_environment(cls) -> "Security":
        """Raises Fatal for an unknown word and for a file of certificates that cannot be read."""
        try:
            found = kafka_security()
            return cls(found, _credentials(found))
        except Failure as failure:
            raise Fatal(str(failure), failure.exit_code) from None
        except OSError:
            raise Fatal("SPENDGATE_KAFKA_CA_FILE: expected a file of certificates in PEM", 2) from None

    @property
    def aiokafka(self) -> Mapping[str, Any]:
        """Keywords of aiokafka's clients."""
        return auth_of_credentials(self.credentials)


def _credentials(found: Mapping[str, str]) -> CredentialsT | None:
    protocol = found.get("security_protocol", "PLAINTEXT")
    context = ssl.create_default_context(cafile=found.get("ssl_cafile")) if protocol.endswith("SSL") else None
    if protocol.startswith("SASL_"):
        return SASLCredentials(
            username=found.get("sasl_plain_username"),
            password=found.get("sasl_plain_password"),
            mechanism=found.get("sasl_mechanism", "PLAIN"),
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None
