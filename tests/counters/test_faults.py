"""What a worker is told when Redis is away, full, forbidden, altered or not fit to be trusted."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import RedisError

from dev.redis_process import RedisProcess
from spendgate.engine.names import Window
from tests.counters.conftest import Servers, admin
from window_counters.protocol import Change, Look, Mark, PartitionId, Read, StoreUnavailable, StoreUnfit
from window_counters.redis_store import RedisStore

pytestmark = pytest.mark.asyncio

SHORT_S = 0.3
"""For what never answers. What answers has longer: a machine that is busy takes its time."""
LOST_S = 2.0
HOME = PartitionId("spend.events", 3)
SLOT = "sg:2:{spend.events:3}:c:s"
ONE = Change(mark=Mark("t", 1), increments={"s": {"f": 1}})
TWO = Change(mark=Mark("t", 2), increments={"s": {"f": 1}}, identities={"acme": {1: [1]}}, expiries={"acme": {"s": 1}})
LOOK = Read(cells={"s": ["f"]}, identities={"acme": ([1], [1])}, due={"acme": 9})
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Call = Callable[[RedisStore], Awaitable[object]]
CALLS: dict[str, Call] = {
    "check_fit": lambda store: store.check_fit(),
    "read": lambda store: store.read(HOME, LOOK),
    "sums": lambda store: store.sums(HOME, Look([], [Window(0, (("s", ("f", "g")),))]), [""]),
    "apply": lambda store: store.apply(HOME, None, ONE),
    "put": lambda store: store.put(HOME, {"s": {"f": 1}}),
    "slots": lambda store: store.slots(HOME, "acme", ""),
    "dump": lambda store: store.dump(HOME, ["s"]),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@asynccontextmanager
async def opened(server: RedisProcess | str, timeout_s: float = SHORT_S) -> AsyncIterator[RedisStore]:
    """A store of a server or a URL, with a short time-out."""
    url = server if isinstance(server, str) else server.url
    store = RedisStore(url, socket_timeout_s=timeout_s, connect_timeout_s=timeout_s)
    try:
        yield store
    finally:
        await store.close()


def url_of_worker(server: RedisProcess, *rules: str) -> str:
    """The URL of a user who may do everything but what the rules say."""
    with admin(server) as client:
        client.execute_command("ACL", "SETUSER", "worker", "on", ">pass", "~*", "+@all", *rules)
    return server.url.replace("redis://", "redis://worker:pass@")


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """A server that does what ``handler`` does; its URL. Its connections are cut at the end."""
    writers: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await handler(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()


@every_call
async def test_a_server_that_never_answers_is_unavailable(call: Call) -> None:
    async def swallow(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass

    async with listening(swallow) as url:
        store = RedisStore(url, socket_timeout_s=SHORT_S)
        with pytest.raises(StoreUnavailable) as raised:
            await call(store)
        assert isinstance(raised.value.__cause__, RedisError)
        await store.close()


@every_call
async def test_a_server_that_is_not_there_is_unavailable(call: Call) -> None:
    async def nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    async with listening(nothing) as url:
        pass
    store = RedisStore(url)
    with pytest.raises(StoreUnavailable) as raised:
        await call(store)
    assert isinstance(raised.value.__cause__, RedisError)
    await store.close()


async def test_a_change_whose_answer_is_lost_is_sent_once_and_the_mark_tells(servers: Servers) -> None:
    server = servers("redis")
    home = PartitionId("spend.events-lost", 3)
    async with opened(server, 5) as direct:
        assert await direct.apply(home, None, ONE)
        sent: list[bytes] = []

        async def lose_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", server.port)
            while request := await reader.read(65_536):
                sent.append(request)
                behind_writer.write(request)
                answer = await behind_reader.read(65_536)
                if b"EVALSHA" not in request:
                    writer.write(answer)
            behind_writer.close()

        async with listening(lose_answers) as url:
            store = RedisStore(url, socket_timeout_s=LOST_S)
            with pytest.raises(StoreUnavailable):
                await store.apply(home, ONE.mark, TWO)
            await store.close()
        assert b"".join(sent).count(b"EVALSHA") == 1
        snapshot = await direct.read(home, LOOK)
        assert (snapshot.mark, snapshot.cells) == (TWO.mark, {"s": [2]})


async def test_after_a_restart_the_store_works_on_and_finds_nothing(own_server: RedisProcess) -> None:
    async with opened(own_server, 5) as store:
        assert await store.apply(HOME, None, ONE)
        own_server.kill()
        with pytest.raises(StoreUnavailable):
            await store.read(HOME, LOOK)
        own_server.start()
        own_server.wait_ready()
        assert (await store.read(HOME, LOOK)).mark is None
        assert await store.apply(HOME, None, ONE)


async def test_a_frozen_server_is_unavailable_until_it_thaws(own_server: RedisProcess) -> None:
    async with opened(own_server, LOST_S) as store:
        assert await store.apply(HOME, None, ONE)
        own_server.pause()
        with pytest.raises(StoreUnavailable):
            await store.read(HOME, LOOK)
        own_server.resume()
    async with opened(own_server, 5) as store:
        assert (await store.read(HOME, LOOK)).mark == ONE.mark


async def test_a_call_that_is_cancelled_says_so_whenever_it_was_and_no_answer_is_mixed_up(
    own_server: RedisProcess,
) -> None:
    for steps in range(12):
        async with opened(own_server, 2) as store:
            await store.put(HOME, {"s": {"f": steps}})
            own_server.pause()
            waiting = asyncio.create_task(store.dump(HOME, ["s"]))
            for _ in range(steps):
                await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            own_server.resume()
            assert (await store.read(HOME, LOOK)).cells == {"s": [steps]}


async def test_scripts_are_loaded_again_when_the_server_forgot_them(lent_server: RedisProcess) -> None:
    async with opened(lent_server, 5) as store:
        assert await store.apply(HOME, None, ONE)
        with admin(lent_server) as client:
            client.script_flush()
        assert await store.apply(HOME, ONE.mark, TWO)
        assert (await store.read(HOME, LOOK)).cells == {"s": [2]}


@pytest.mark.parametrize(
    ("setting", "value"), [("maxmemory", "1"), ("min-replicas-to-write", "1")], ids=["full", "no replicas"]
)
async def test_a_server_that_takes_no_writes_is_unavailable_and_nothing_is_changed(
    lent_server: RedisProcess, setting: str, value: str
) -> None:
    async with opened(lent_server, 5) as store:
        assert await store.apply(HOME, None, ONE)
        with admin(lent_server) as client:
            client.config_set(setting, value)
        with pytest.raises(StoreUnavailable) as raised:
            await store.apply(HOME, ONE.mark, TWO)
        assert isinstance(raised.value.__cause__, RedisError)
        snapshot = await store.read(HOME, LOOK)
        assert (snapshot.mark, snapshot.cells, snapshot.known) == (ONE.mark, {"s": [1]}, {"acme": {}})


async def test_a_replica_is_unavailable_for_writes(lent_server: RedisProcess) -> None:
    with admin(lent_server) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", lent_server.port)
    async with opened(lent_server, 5) as store:
        with pytest.raises(StoreUnavailable):
            await store.apply(HOME, None, ONE)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_server_that_evicts_is_unfit_and_the_message_says_what_to_set(
    lent_server: RedisProcess, policy: str
) -> None:
    with admin(lent_server) as client:
        client.config_set("maxmemory-policy", policy)
    async with opened(lent_server, 5) as store:
        with pytest.raises(StoreUnfit, match="redis-cli CONFIG SET maxmemory-policy noeviction"):
            await store.check_fit()


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
async def test_where_config_is_forbidden_info_tells_the_policy(lent_server: RedisProcess, policy: str) -> None:
    with admin(lent_server) as client:
        client.config_set("maxmemory-policy", policy)
    async with opened(url_of_worker(lent_server, "-config"), 5) as store:
        if policy == "noeviction":
            await store.check_fit()
        else:
            with pytest.raises(StoreUnfit, match="maxmemory-policy"):
                await store.check_fit()


@every_call
async def test_a_wrong_password_is_unfit_and_is_never_shown(lent_server: RedisProcess, call: Call) -> None:
    wrong = url_of_worker(lent_server).replace(":pass@", ":hunter2@")
    async with opened(wrong, 5) as store:
        with pytest.raises(StoreUnfit, match="password") as raised:
            await call(store)
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


async def test_no_password_where_one_is_needed_is_unfit(own_server: RedisProcess) -> None:
    with admin(own_server) as client:
        client.config_set("requirepass", "right")
    async with opened(own_server, 5) as store:
        with pytest.raises(StoreUnfit, match="password"):
            await store.read(HOME, LOOK)


@pytest.mark.parametrize("rule", ["-hincrby", "-evalsha"])
async def test_a_user_who_may_not_do_what_the_scripts_do_is_refused(lent_server: RedisProcess, rule: str) -> None:
    async with opened(url_of_worker(lent_server, rule), 5) as store:
        with pytest.raises(StoreUnfit, match="redis refused access"):
            await store.apply(HOME, None, ONE)


async def test_a_user_who_may_not_use_our_keys_is_refused(lent_server: RedisProcess) -> None:
    async with opened(url_of_worker(lent_server, "resetkeys", "~other:*"), 5) as store:
        with pytest.raises(StoreUnfit, match="redis refused access"):
            await store.read(HOME, LOOK)


async def test_the_documented_commands_are_enough(lent_server: RedisProcess) -> None:
    documented = (RedisStore.__doc__ or "").split("needs keys ``sg:*`` and ")[1].rstrip(" .\n")
    names = [name.strip().replace(" ", "|") for name in documented.replace("\n", " ").replace(" and ", ", ").split(",")]
    allowed = [f"+{'|'.join(name.lower().split())}" for name in names]
    rules = ["resetkeys", "~sg:*", "-@all", "+hello", "+auth", "+client", *allowed]
    store = RedisStore(url_of_worker(lent_server, *rules))
    whole = Change(
        mark=Mark("t", 0),
        tenants={"acme": b"{}"},
        increments={"s": {"f": 1}},
        identities={"acme": {1: [1]}},
        expiries={"acme": {"s": 1}},
        drop_slots={"acme": ["old"]},
        drop_hours={"acme": [0]},
    )
    assert await store.apply(HOME, None, whole)
    with pytest.raises(OverflowError):
        await store.apply(HOME, whole.mark, Change(Mark("t", 1), increments={"s": {"g": 1, "f": 2**63 - 1}}))
    for call in CALLS.values():
        await call(store)
    await store.close()


@pytest.mark.parametrize("key", ["c:s", "i:acme:1", "x:acme", "mark"])
async def test_a_key_of_another_kind_is_unfit_and_nothing_is_changed(servers: Servers, key: str) -> None:
    server = servers("redis")
    home = PartitionId(f"spend.events-altered-{key}", 3)
    async with opened(server, 5) as store:
        assert await store.apply(home, None, ONE)
        with admin(server) as client:
            name = f"sg:2:{{{home.topic}:{home.partition}}}:{key}"
            client.delete(name)
            client.rpush(name, "x")
        with pytest.raises(StoreUnfit, match="somebody else wrote"):
            await store.apply(home, ONE.mark, TWO)
        if key not in ("c:s", "mark"):
            snapshot = await store.read(home, Read(cells=LOOK.cells))
            assert (snapshot.mark, snapshot.cells) == (ONE.mark, {"s": [1]})


@pytest.mark.parametrize("value", ["0.5", "many", "", str(2**63)])
async def test_a_counter_that_is_no_integer_is_unfit(lent_server: RedisProcess, value: str) -> None:
    with admin(lent_server) as client:
        client.hset(SLOT, "f", value)
    async with opened(lent_server, 5) as store:
        calls: list[Call] = [CALLS["read"], CALLS["sums"], CALLS["dump"], lambda store: store.apply(HOME, None, ONE)]
        for call in calls:
            with pytest.raises(StoreUnfit, match="no integer"):
                await call(store)


async def test_a_mark_that_is_no_mark_is_unfit(lent_server: RedisProcess) -> None:
    with admin(lent_server) as client:
        client.set("sg:2:{spend.events:3}:mark", "?")
    async with opened(lent_server, 5) as store:
        with pytest.raises(StoreUnfit, match="mark"):
            await store.read(HOME, LOOK)


async def test_a_cluster_client_for_a_server_that_is_no_cluster_is_told_so(servers: Servers) -> None:
    store = RedisStore(servers("redis").url, cluster=True)
    with pytest.raises(StoreUnfit, match="no cluster"):
        await store.check_fit()
    await store.close()


@pytest.mark.parametrize(
    ("answer", "failure", "words"),
    [
        ("MOVED 866 127.0.0.1:7001", StoreUnfit, "expected a cluster client"),
        ("ERR unknown command 'EVALSHA'", StoreUnfit, "Redis 6.2 or Valkey"),
        ("LOADING Redis is loading the dataset in memory", StoreUnavailable, "redis"),
        ("BUSY Redis is busy running a script", StoreUnavailable, "redis"),
        ("CLUSTERDOWN Hash slot not served", StoreUnavailable, "redis"),
        ("MISCONF Redis is configured to save RDB snapshots, and key removed", StoreUnavailable, "redis"),
        ("ERR something new about acme", StoreUnavailable, "redis answered ResponseError$"),
    ],
)
async def test_what_the_server_answers_says_whether_to_wait_or_to_stop(
    servers: Servers, answer: str, failure: type[Exception], words: str
) -> None:
    server = servers("redis")

    async def refuse_scripts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", server.port)
        while request := await reader.read(65_536):
            if b"EVALSHA" in request:
                writer.write(f"-{answer}\r\n".encode())
                continue
            behind_writer.write(request)
            writer.write(await behind_reader.read(65_536))
        behind_writer.close()

    async with listening(refuse_scripts) as url, opened(url, 5) as store:
        for call in (CALLS["read"], CALLS["apply"], CALLS["put"]):
            with pytest.raises(failure, match=words) as raised:
                await call(store)
            assert isinstance(raised.value.__cause__, RedisError)


async def test_a_slot_that_no_node_serves_is_unavailable(servers: Servers) -> None:
    home = PartitionId("spend.events-unserved", 3)
    with admin(servers("cluster")) as client:
        slot = client.execute_command("CLUSTER KEYSLOT", "{spend.events-unserved:3}")
        client.execute_command("CLUSTER DELSLOTS", slot)
        try:
            async with opened(servers("cluster"), 5) as store:
                with pytest.raises(StoreUnavailable):
                    await store.read(home, LOOK)
        finally:
            client.execute_command("CLUSTER ADDSLOTS", slot)


@pytest.mark.parametrize("url", ["localhost:6379", "http://127.0.0.1", "redis://host:port", ""])
async def test_a_url_that_is_none_is_a_clear_error(url: str) -> None:
    with pytest.raises(ValueError, match="redis url: expected redis://"):
        RedisStore(url)
