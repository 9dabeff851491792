"""How to speak to Kafka, from the environment: the same for the command, the agents and the door."""

import os
from pathlib import Path

from spendgate.failure import USAGE, Failure

_SECURITY_ENV = {
    "security_protocol": "SPENDGATE_KAFKA_SECURITY",
    "sasl_mechanism": "SPENDGATE_KAFKA_SASL_MECHANISM",
    "sasl_plain_username": "SPENDGATE_KAFKA_USERNAME",
    "sasl_plain_password": "SPENDGATE_KAFKA_PASSWORD",
    "ssl_cafile": "SPENDGATE_KAFKA_CA_FILE",
}

_SECURITY_WORDS = {
    "security_protocol": ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "sasl_mechanism": ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
}


def kafka_security() -> dict[str, str]:
    """How to speak to Kafka, by kafka-python's keywords, from the environment's SPENDGATE_KAFKA_*.

    Raises Failure for an unknown protocol or mechanism, which kafka-python would take for PLAINTEXT, and for
    a file of certificates that is not there.
    """
    found = {keyword: os.environ[name] for keyword, name in _SECURITY_ENV.items() if os.environ.get(name)}
    for keyword, allowed in _SECURITY_WORDS.items():
        if found.get(keyword, allowed[0]) not in allowed:
            raise Failure(f"{_SECURITY_ENV[keyword]}: expected one of {', '.join(allowed)}", USAGE)
    if "ssl_cafile" in found and not Path(found["ssl_cafile"]).is_file():
        raise Failure(f"{_SECURITY_ENV['ssl_cafile']}: expected a file of certificates")
    return found
