"""Run by the code of an earlier version, its checkout first on the path: a store with a staged policy, told to Kafka.

Arguments: the store's URL, a key file to make, Kafka's address; topics are under the environment's prefix. Prints the
tenant's key as JSON.
"""

import json
import sys
from pathlib import Path

from kafka import KafkaProducer

from policy_store import api_keys, policies, stagings, tenants
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.migrate import migrate
from policy_store.relay import Relay
from policy_store.signing import make_key_file
from spendgate.model.policy_source import read_policy
from spendgate.model.topics import load_topics

TENANT = "acme"
SOURCE = """\
apiVersion: spendgate/v1
kind: Policy
metadata: {name: team-caps}
spec:
  rules:
    - budget: {cap_usd: "40", window: {calendar: month, timezone: Europe/Berlin}, per: [team], on_breach: deny}
    - budget: {cap_usd: "9", window: {rolling: 24h}, per: [employee], on_breach: review}
"""


class Wire:
    """Every message acknowledged before the next."""

    def __init__(self, kafka: str) -> None:
        self.producer = KafkaProducer(bootstrap_servers=kafka, acks="all")

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        """Raises KafkaError."""
        self.producer.send(topic, value, key).get(30)


def main(url: str, key_file: str, kafka: str) -> None:
    """The whole of it."""
    database = Database(url)
    migrate(database)
    signer, changes = make_key_file(Path(key_file)), Changes(database)
    with changes.of(TENANT, "ann") as change:
        tenants.create(change)
        shown = api_keys.create(change, "ann", "viewer")
        made = policies.create(change, read_policy(SOURCE, "team-caps.yaml"), SOURCE).latest
        asked = stagings.submit(change, "team-caps", made.hash, "data for a test of upgrades")
    with changes.of(TENANT, "bob") as change:
        stagings.approve(change, asked.id, asked.revision, signer)
    topics = load_topics()
    names = {"policies": topics.policies.name, "events": topics.events.name}
    relay = Relay(database, Wire(kafka), names, "previous")  # type: ignore[arg-type]
    while relay.run_once():
        pass
    sys.stdout.write(json.dumps({"key": shown.text, "store_key": signer.public, "staging": asked.id}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
