"""What ``agents/faust_private.py`` relies on is there, as it was when it was written.

A failure here means that Faust, mode or aiokafka has changed under us. Read the change, adapt ``faust_private.py``,
run the fault tests, and only then write the new value down.
"""

import hashlib
import importlib
import inspect
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer
from faust.transport.consumer import Consumer, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import AppT

# The parameters of everything that is called, overridden or replaced.
SIGNATURES = {
    "faust.transport.consumer:Consumer._drain_messages": "self, fetcher",
    "faust.transport.consumer:Consumer._filter_tps_with_pending_acks": "self, topics",
    "faust.transport.consumer:Consumer._filter_committable_offsets": "self, tps",
    "faust.transport.consumer:Consumer._should_commit": "self, tp, offset",
    "faust.transport.consumer:Consumer._get_active_partitions": "self",
    "faust.transport.consumer:Consumer.on_buffer_drop": "self, tp",
    "faust.transport.consumer:Consumer.on_partitions_revoked": "self, revoked",
    "faust.transport.consumer:Consumer.on_partitions_assigned": "self, assigned, generation_id",
    "faust.transport.consumer:Consumer.perform_seek": "self",
    "faust.transport.consumer:Consumer.commit": "self, topics, start_new_transaction",
    "faust.transport.consumer:ThreadDelegateConsumer._getmany": "self, active_partitions, timeout",
    "faust.transport.consumer:ThreadDelegateConsumer.position": "self, tp",
    "faust.transport.consumer:ThreadDelegateConsumer.assignment": "self",
    "faust.transport.consumer:ensure_TP": "tp",
    "faust.transport.consumer:Consumer._commit_offsets": "self, offsets, start_new_transaction",
    "faust.transport.drivers.aiokafka:Consumer._new_consumer_thread": "self",
    "faust.transport.drivers.aiokafka:Consumer.verify_event_path": "self, now, tp",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._commit": "self, offsets",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._ensure_consumer": "self",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread.assignment": "self",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread.on_crash": "self, msg, fmt, kwargs",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread.call_thread": "self, fun, args, kwargs",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread.seek_to_beginning": "self, partitions",
    "faust.transport.drivers.aiokafka:Producer._ensure_producer": "self",
    "faust.transport.drivers.aiokafka:credentials_to_aiokafka_auth": "credentials, ssl_context",
    "faust.transport.drivers.aiokafka:ensure_aiokafka_TP": "tp",
    "faust:App._new_transport": "self",
    "faust:App.on_first_start": "self",
    "faust:App.stop": "self",
    "faust:App._crash": "self, reason",
    "faust:Worker.start": "self",
    "faust:Worker.execute_from_commandline": "self",
    "faust:Stream.events": "self",
    "faust.types.tuples:ConsumerMessage.__init__": (
        "self, topic, partition, offset, timestamp, timestamp_type, headers, key, value, checksum, "
        "serialized_key_size, serialized_value_size, tp, time_in, time_out, time_total, generation_id"
    ),
    "mode:Service.wait_first": "self, coros, timeout",
    "mode:Service.wait": "self, coros, timeout",
    "aiokafka.consumer.group_coordinator:GroupCoordinator.check_errors": "self",
    "aiokafka.consumer.group_coordinator:NoGroupCoordinator.check_errors": "self",
    "aiokafka:AIOKafkaConsumer.commit": "self, offsets",
    "aiokafka:AIOKafkaConsumer.seek_to_committed": "self, partitions",
    "aiokafka.codec:lz4_encode": "payload, level",
    "aiokafka.conn:AIOKafkaConnection.send": "self, request, expect_response",
    "aiokafka:AIOKafkaProducer.send": "self, topic, value, key, partition, timestamp_ms, headers",
}

# What is leant on beyond its signature: the first 12 digits of the SHA-256 of its source.
BODIES = {
    "faust.transport.consumer:Consumer.force_commit": "cc094614d22c",
    "faust.transport.consumer:Consumer._commit_tps": "a20e230b05ae",
    "faust.transport.consumer:Consumer._commit_offsets": "1a6979904118",
    "faust.transport.consumer:Consumer.perform_seek": "0e8c130ff4b0",
    "faust.transport.consumer:Consumer.on_stop": "45b1d2210ce2",
    "faust.transport.consumer:Fetcher._fetcher": "68f894f0b577",
    "faust.transport.conductor:ConductorCompiler.build": "837cf521368c",
    "faust.transport.conductor:Conductor._update_tp_index": "e8e3ac9025ef",
    "faust.app.base:App._on_partitions_revoked": "d5c895bbe57d",
    "faust.app.base:App._on_partitions_assigned": "de932b7927db",
    "faust.app.base:App._stop_consumer": "55854a5de12c",
    "faust.tables.recovery:Recovery._resume_streams": "d986a6710c1a",
    "faust.agents.agent:Agent._execute_actor": "c750b828d2bd",
    "faust.agents.actor:Actor.on_isolated_partition_revoked": "636a35c791bf",
    "faust.streams:Stream.events": "c62f4dd3a73f",
    "mode.services:Service.crash": "14980000465d",
    "mode.worker:Worker.execute_from_commandline": "212e98f635d7",
    "aiokafka:AIOKafkaConsumer.seek_to_committed": "f6cd85c8b70a",
    "aiokafka.conn:create_conn": "673276cbddb4",
    "aiokafka.client:AIOKafkaClient._md_synchronizer": "e0421bffa9a7",
    "aiokafka.consumer.group_coordinator:GroupCoordinator.check_errors": "ba6ca51ad348",
    "aiokafka.consumer.group_coordinator:GroupCoordinator.commit_offsets": "5cbe31af28d6",
}


def found(name: str) -> Any:
    """The plain function behind ``module:Class.name``."""
    module, _, path = name.partition(":")
    thing: Any = importlib.import_module(module)
    for part in path.split("."):
        thing = inspect.getattr_static(thing, part) if inspect.isclass(thing) else getattr(thing, part)
    return inspect.unwrap(getattr(thing, "fun", thing))


@pytest.mark.parametrize("name", SIGNATURES)
def test_what_is_overridden_or_called_takes_what_it_took(name: str) -> None:
    assert ", ".join(inspect.signature(found(name)).parameters) == SIGNATURES[name]


@pytest.mark.parametrize("name", BODIES)
def test_what_is_leant_on_does_what_it_did(name: str) -> None:
    assert hashlib.sha256(inspect.getsource(found(name)).encode()).hexdigest()[:12] == BODIES[name]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Consumer, "_committed_offset"),
        (Consumer, "_active_partitions"),
        (Consumer, "flow_active"),
        (Consumer, "can_resume_flow"),
        (Consumer, "suspend_flow"),
        (ThreadDelegateConsumer, "_thread"),
        (driver.AIOKafkaConsumerThread, "_consumer"),
    ],
)
def test_the_attributes_that_are_read_are_declared(owner: type, name: str) -> None:
    assert name in inspect.get_annotations(owner)


@pytest.mark.asyncio
async def test_a_consumer_has_a_coordinator_to_ask_for_its_errors() -> None:
    assert AIOKafkaConsumer(group_id="any")._coordinator is None
    assert AIOKafkaConsumer()._client._sync_task is None


def test_a_transport_is_made_from_the_class_that_it_names() -> None:
    assert driver.Transport.Consumer is driver.Consumer
    assert "consumer_generation_id" in inspect.get_annotations(AppT)


def test_the_settings_that_are_given_exist() -> None:
    from agents.delivery import Settings, _options  # the settings are private to delivery

    assert [name for name in _options("127.0.0.1:9092", Settings()) if not hasattr(faust.Settings, name)] == []
