"""Publishing to the aggregator's simulator: what is taken, what is not, and why."""

from __future__ import annotations

import asyncio
import json
import random
import resource
from typing import Any

import pytest
from simulated import AUTHORIZATION, Raw, rest, run
from simulated_aggregator import (
    KEY,
    NOW_NS,
    OTHER_KEY,
    S,
    all_good,
    ask,
    by_hand,
    client,
    publish,
    published,
    signed_prices,
    subscriber,
)
from websockets.exceptions import InvalidStatus

from codec import as_int, checksum_address
from codec.aggregator import authentication_headers, key_address
from codec.simulator import AggregatorSimulator

MiB = 1 << 20
ADDRESS = checksum_address(key_address(KEY))


async def publisher(simulator: AggregatorSimulator, **options: Any) -> Any:
    return await client(simulator, "/evm/publish", **options)


async def until(holds: Any) -> None:
    while not holds():
        await asyncio.sleep(0.001)


def values(batch: Any) -> list[int]:
    return as_int(batch.aggregates["value"]).tolist()


# Prices that are taken.


def test_prices_that_are_published_are_aggregated() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            reader = await subscriber(simulator)
            writer = await publisher(simulator)
            message = signed_prices(published(value=7 * S), trace_id="t")
            await writer.send(json.dumps(message))
            connection = simulator.history[-1]
            await until(lambda: connection.n_accepted)
            batch = all_good(await publish(simulator, reader, 1), simulator.signer)
            assert values(batch)[0] == 7 * S
            assert batch.aggregates["publisher_count"].tolist() == [1, 3]
            assert bytes(batch.publishers["publisher"][0]) == key_address(KEY)
            assert (connection.n_accepted, connection.n_refused) == (1, 0)
            assert connection.publishes and connection.publisher is None

    run(test())


@pytest.mark.parametrize("n", range(1, 8))
def test_of_many_publishers_the_median_counts(n: int) -> None:
    prices = [random.Random(n * 10 + i).randint(-(10**20), 10**20) for i in range(n)]
    keys = [bytes((i + 1,)) * 32 for i in range(n)]

    async def test() -> None:
        async with by_hand() as simulator:
            reader = await subscriber(simulator, assets=["BTCUSD"])
            writer = await publisher(simulator)
            for value, key in zip(prices, keys, strict=True):
                await writer.send(
                    json.dumps(signed_prices(published(value=value, key=key)))
                )
            await until(lambda: simulator.history[-1].n_accepted == n)
            batch = all_good(await publish(simulator, reader, 1), simulator.signer)
            ordered = sorted(prices)
            middle = ordered[(n - 1) // 2 : n // 2 + 1]
            assert values(batch) == [sum(middle) // len(middle)]
            found = [bytes(key) for key in batch.publishers["publisher"]]
            assert found == [key_address(key) for key in keys]

    run(test())


def test_a_price_that_moves_is_passed_on_at_once() -> None:
    async def test() -> None:
        async with by_hand(delta_percent=1) as simulator:
            reader = await subscriber(simulator, assets=["BTCUSD"])
            writer = await publisher(simulator)
            for i, value in enumerate((1000, 1009, 1010, 1000, 0, 1)):
                entry = published(value=value, timestamp_ns=NOW_NS + i)
                await writer.send(json.dumps(signed_prices(entry)))
                await until(lambda i=i: simulator.history[-1].n_accepted == i + 1)
                if i == 0:
                    simulator.publish_now()
            messages = [await reader.recv(decode=False) for _ in range(4)]
            batch = all_good(messages, simulator.signer)
            # Of 1,000 one percent is 10; of 1,010 it is more than those 10.
            assert values(batch) == [1000, 1010, 0, 1]
            assert batch.aggregates["trigger"].tolist() == [1, 2, 2, 2]

    run(test())


def test_a_price_that_moves_by_exactly_the_share_is_passed_on() -> None:
    """In floats, 1.1 % of 10^18 is more than 11 * 10^15."""

    async def test() -> None:
        async with by_hand(delta_percent=1.1) as simulator:
            reader = await subscriber(simulator, assets=["BTCUSD"])
            writer = await publisher(simulator)
            for i, value in enumerate((10**18, 1011 * 10**15)):
                entry = published(value=value, timestamp_ns=NOW_NS + i)
                await writer.send(json.dumps(signed_prices(entry)))
                await until(lambda i=i: simulator.history[-1].n_accepted == i + 1)
                if i == 0:
                    simulator.publish_now()
            messages = [await reader.recv(decode=False) for _ in range(2)]
            batch = all_good(messages, simulator.signer)
            assert batch.aggregates["trigger"].tolist() == [1, 2]

    run(test())


def test_own_publishers_return_when_prices_are_old() -> None:
    now_ns = NOW_NS

    async def test() -> None:
        nonlocal now_ns
        async with by_hand(time_ns=lambda: now_ns) as simulator:
            reader = await subscriber(simulator, assets=["BTCUSD"])
            writer = await publisher(simulator)
            await writer.send(json.dumps(signed_prices(published(value=5))))
            await until(lambda: simulator.history[-1].n_accepted)
            now_ns += 59 * S
            before = all_good(await publish(simulator, reader, 1), simulator.signer)
            now_ns += 2 * S
            after = all_good(await publish(simulator, reader, 1), simulator.signer)
            assert values(before) == [5] != values(after)
            assert len(after.publishers) == 3

    run(test())


def test_without_publishers_of_its_own_there_is_nothing() -> None:
    async def test() -> None:
        async with by_hand(n_publishers=0) as simulator:
            reader = await subscriber(simulator)
            simulator.publish_now()
            assert await simulator.flood(simulator.connections[0], 3) == 0
            writer = await publisher(simulator)
            await writer.send(json.dumps(signed_prices(published("ETHUSD"))))
            await until(lambda: simulator.history[-1].n_accepted)
            (message,) = await publish(simulator, reader, 1)
            assert list(json.loads(message)["data"]) == ["ETHUSD"]

    run(test())


def test_values_at_the_ends_of_int128() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            reader = await subscriber(simulator, assets=["BTCUSD"])
            writer = await publisher(simulator)
            for i, value in enumerate((2**127 - 1, -(2**127))):
                entry = published(value=value, timestamp_ns=NOW_NS + i)
                await writer.send(json.dumps(signed_prices(entry)))
                await until(lambda i=i: simulator.history[-1].n_accepted == i + 1)
                (message,) = await publish(simulator, reader, 1)
                assert values(all_good([message], simulator.signer)) == [value]

    run(test())


# Prices that are refused.


def changed(path: str, value: Any) -> dict[str, Any]:
    """A good price but for one field; ... takes the field away."""
    entry = published()
    item: Any = entry
    *above, last = path.split(".")
    for name in above:
        item = item[name]
    if value is ...:
        del item[last]
    else:
        item[last] = value
    return {"type": "signed_prices", "data": {"BTCUSD": entry}}


SIGNED = "signed_price"
STAMPED = f"{SIGNED}.timestamped_signature"
SIGNATURE = f"{STAMPED}.signature"
BAD_FIELDS = [
    ("oracle_id", ..., "oracle_id"),
    ("oracle_id", "four", "oracle_id"),
    ("oracle_id", 12345, "oracle_id"),
    ("oracle_id", "tests\n", "oracle_id"),
    ("asset_id", "ETHUSD", "asset_id"),
    ("asset_id", ["BTCUSD"], "asset_id"),
    ("trigger", "whim", "trigger"),
    ("trigger", {}, "trigger"),
    (SIGNED, None, "signed_price must be an object"),
    (SIGNED, [], "signed_price must be an object"),
    (f"{SIGNED}.publisher_key", "0x12", "20 bytes"),
    (f"{SIGNED}.publisher_key", 7, "20 bytes"),
    (f"{SIGNED}.publisher_key", f"0x{'g' * 40}", "20 bytes"),
    (f"{SIGNED}.publisher_key", f"0x{'0' * 40}", "msg_hash is not"),
    (f"{SIGNED}.external_asset_id", "ETHUSD", "external_asset_id"),
    (f"{SIGNED}.signature_type", "stark", "signature_type must be evm"),
    (f"{SIGNED}.price", 1000, "price must be an integer's text"),
    (f"{SIGNED}.price", "1.5", "price must be an integer's text"),
    (f"{SIGNED}.price", "9" * 39, "not to be signed"),
    (f"{SIGNED}.price", "9" * 5000, "price must be an integer's text"),
    (f"{SIGNED}.price", "١", "price must be an integer's text"),
    (STAMPED, "", "timestamped_signature must be an object"),
    (f"{STAMPED}.timestamp", str(NOW_NS), "timestamp must be an integer"),
    (f"{STAMPED}.timestamp", float(NOW_NS), "timestamp must be an integer"),
    (f"{STAMPED}.timestamp", True, "timestamp must be an integer"),
    (f"{STAMPED}.timestamp", -1, "not to be signed"),
    (f"{STAMPED}.timestamp", 10**30, "not to be signed"),
    (f"{STAMPED}.msg_hash", f"0x{'12' * 32}", "msg_hash is not that of the price"),
    (f"{STAMPED}.msg_hash", None, "msg_hash must be 32 bytes"),
    (SIGNATURE, 0, "signature must be an object"),
    (f"{SIGNATURE}.r", ..., "r must be 32 bytes"),
    (f"{SIGNATURE}.r", f"0x{'00' * 32}", "the signature is not"),
    (f"{SIGNATURE}.r", f"0x{'ff' * 32}", "the signature is not"),
    (f"{SIGNATURE}.s", f"0x{'ff' * 32}", "the signature is not"),
    (f"{SIGNATURE}.s", "12" * 33, "s must be 32 bytes"),
    (f"{SIGNATURE}.v", "0x00", "the signature is not"),
    (f"{SIGNATURE}.v", "0xff", "the signature is not"),
    (f"{SIGNATURE}.v", "0x1b1b", "v must be 1 bytes"),
    (f"{SIGNATURE}.v", 27, "v must be 1 bytes"),
]


def test_what_is_wrong_with_a_price_is_said() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            writer = await publisher(simulator)
            for path, value, reason in BAD_FIELDS:
                answer = await ask(writer, changed(path, value))
                assert answer["type"] == "signed_prices"
                assert answer["error"].startswith("1 prices refused: BTCUSD: "), path
                assert reason in answer["error"], (path, value)
            (connection,) = simulator.connections
            assert (connection.n_accepted, connection.n_refused) == (0, len(BAD_FIELDS))
            # msg_hash may be left out, and everything else is good.
            await writer.send(json.dumps(changed(f"{STAMPED}.msg_hash", ...)))
            await until(lambda: connection.n_accepted)

    run(test())


def test_good_signatures_at_the_wrong_time_or_place() -> None:
    async def test() -> None:
        async with by_hand(allowed=ADDRESS) as simulator:
            writer = await publisher(simulator)
            for entry, reason in (
                (published("NOTHING"), "the asset is unknown"),
                (published(key=OTHER_KEY), "publisher_key may not publish"),
                (published(timestamp_ns=NOW_NS - 61 * S), "timestamp is too old"),
                (published(timestamp_ns=NOW_NS + 11 * S), "in the future"),
            ):
                answer = await ask(writer, signed_prices(entry, trace_id="abc"))
                assert reason in answer["error"]
                assert answer["trace_id"] == "abc"
            both = signed_prices(published("BTCUSD"), published("NOTHING"))
            answer = await ask(writer, both)
            assert answer["error"] == "1 prices refused: NOTHING: the asset is unknown"
            assert simulator.connections[0].n_accepted == 1
            for timestamp_ns in (NOW_NS, NOW_NS - 1):
                entry = published(value=2, timestamp_ns=timestamp_ns)
                answer = await ask(writer, signed_prices(entry))
                assert "timestamp is not after the last" in answer["error"]

    run(test())


@pytest.mark.parametrize(
    "request_text",
    [
        "no JSON",
        "{}",
        "[1]",
        '{"type":"subscribe","data":["BTCUSD"]}',
        '{"type":"signed_prices"}',
        '{"type":"signed_prices","data":[]}',
        '{"type":"signed_prices","data":{}}',
        '{"type":"signed_prices","data":{"BTCUSD":1}}',
        '{"type":"signed_prices","data":{"\\ud800":{}}}',
        '{"type":"signed_prices","data":' + '{"a":' * 150 + "1" + "}" * 151,
        '{"type":"signed_prices","data":{"BTCUSD":' + "9" * 5000 + "}}",
    ],
)
def test_what_is_no_publication_gets_a_reason(request_text: str) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            writer = await publisher(simulator)
            answer = await ask(writer, request_text)
            assert answer["type"] and answer["error"]
            assert len(json.dumps(answer)) < 1000

    run(test())


# Who may publish.

GOOD = authentication_headers(KEY, timestamp_ns=NOW_NS)


@pytest.mark.parametrize(
    ("auth", "token", "signature", "status"),
    [
        ("either", True, False, 101),
        ("either", False, True, 101),
        ("either", True, True, 101),
        ("either", False, False, 401),
        ("token", True, False, 101),
        ("token", False, True, 401),
        ("signature", True, False, 401),
        ("signature", False, True, 101),
        ("both", True, False, 401),
        ("both", False, True, 401),
        ("both", True, True, 101),
    ],
)
def test_what_publishers_must_have(
    auth: Any, token: bool, signature: bool, status: int
) -> None:
    headers = (AUTHORIZATION if token else {}) | (GOOD if signature else {})

    async def test() -> None:
        async with by_hand(publish_auth=auth) as simulator:
            if status == 101:
                writer = await publisher(simulator, additional_headers=headers)
                who = key_address(KEY) if signature else None
                assert simulator.connections[0].publisher == who
                await writer.close()
            else:
                with pytest.raises(InvalidStatus) as refused:
                    await publisher(simulator, additional_headers=headers)
                assert refused.value.response.status_code == status

    run(test())


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"X-Signature": "0x12"}, 401, b"X-Signature"),
        ({"X-Signature": f"0x{'zz' * 65}"}, 401, b"X-Signature"),
        ({"X-Signature": f"0x{'00' * 65}"}, 401, b"X-Signature is not that"),
        ({"X-Signature-Type": "stark"}, 401, b"X-Signature-Type"),
        ({"X-Timestamp": "now"}, 401, b"X-Timestamp"),
        ({"X-Timestamp": "9" * 21}, 401, b"X-Timestamp"),
        ({"X-Timestamp": str(NOW_NS + S)}, 401, b"X-Signature is not that"),
        ({"X-Public-Key": "0x12"}, 401, b"X-Public-Key"),
        ({"X-Public-Key": checksum_address(b"\1" * 20)}, 401, b"X-Signature is not"),
        (authentication_headers(KEY, timestamp_ns=NOW_NS - 61 * S), 401, b"present"),
        (authentication_headers(OTHER_KEY, timestamp_ns=NOW_NS), 403, b"may not"),
    ],
)
def test_signed_headers_that_are_not_good(
    headers: dict[str, str], status: int, reason: bytes
) -> None:
    async def test() -> None:
        async with by_hand(allowed=[ADDRESS]) as simulator:
            with pytest.raises(InvalidStatus) as refused:
                await publisher(simulator, additional_headers=GOOD | headers)
            assert refused.value.response.status_code == status
            assert reason in refused.value.response.body

    run(test())


def test_a_connection_publishes_for_its_own_key() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            writer = await publisher(simulator, additional_headers=GOOD)
            answer = await ask(writer, signed_prices(published(key=OTHER_KEY)))
            assert "not that of the handshake" in answer["error"]
            await writer.send(json.dumps(signed_prices(published())))
            await until(lambda: simulator.connections[0].n_accepted)

    run(test())


# Publishers that mean harm.


def hostile(dice: random.Random) -> str:
    """Anything at all, often nearly a good message."""
    junk: list[Any] = [None, True, -1, 1e300, "", "0x", [], {}, "x" * 1000, [[[]]]]
    message = signed_prices(published(), published("ETHUSD"))
    for _ in range(dice.randrange(1, 4)):
        item: Any = message
        while isinstance(item, dict) and item:
            name = dice.choice(list(item))
            if dice.random() < 0.3 or not isinstance(item[name], dict):
                if dice.random() < 0.2:
                    del item[name]
                else:
                    item[name] = dice.choice(junk)
                break
            item = item[name]
    text = json.dumps(message)
    if dice.random() < 0.1:
        place = dice.randrange(len(text))
        text = text[:place] + dice.choice(['"', "{", "\\", "\0", "é"]) + text[place:]
    return text


def test_nothing_that_is_published_breaks_it() -> None:
    dice = random.Random(5)

    async def test() -> None:
        async with by_hand() as simulator:
            reader = await subscriber(simulator)
            writer = await publisher(simulator)
            for _ in range(1500):
                await writer.send(hostile(dice))
            await writer.send('{"type":"last"}')
            while json.loads(await writer.recv())["type"] != "last":
                pass
            all_good(await publish(simulator, reader, 3), simulator.signer)

    run(test())


def test_keys_without_number_find_an_end() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            writer = await publisher(simulator)
            for i in range(100):
                entry = published(key=(i + 1).to_bytes(32))
                await writer.send(json.dumps(signed_prices(entry)))
            answer = await ask(writer, signed_prices(published(key=b"\x77" * 32)))
            assert "too many publishers" in answer["error"]
            assert simulator.connections[0].n_accepted == 100

    run(test())


def test_huge_messages_cost_no_memory() -> None:
    many = {f"A{i}": {} for i in range(60_000)}
    texts = (
        json.dumps({"type": "signed_prices", "data": many}),
        '{"type":"signed_prices","data":[' + "[]," * 300_000 + "[]]}",
        json.dumps({"type": "x" * 1_000_000}),
        json.dumps(["x"] * 200_000),
    )

    async def test() -> None:
        async with by_hand() as simulator:
            writer = await publisher(simulator, compression=None)
            for text in texts:
                await ask(writer, text)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for text in texts * 6:  # 20 MiB of text, ten times that as objects
                await ask(writer, text)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            assert grown < 64 << 10
            assert len(simulator.connections[0].received) == 1
            answer = await ask(writer, texts[0])
            assert answer["error"] == "more than 1000 prices in one message"

    run(test())


def test_a_message_beyond_the_limit_ends_its_connection() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            reader = await subscriber(simulator)
            writer = await publisher(simulator, compression=None)
            await writer.send("x" * (MiB + 1))
            assert await rest(writer) == []
            assert writer.close_code == 1009
            all_good(await publish(simulator, reader, 1), simulator.signer)

    run(test())


def test_who_never_reads_the_answers_is_dropped() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            simulator.faults.slow_consumer = MiB
            raw, _ = await Raw.open(simulator, target="/evm/publish")
            raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
            (connection,) = simulator.connections
            names = json.dumps({f"{'x' * 100}{i}": 0 for i in range(999)})
            text = f'{{"type":"signed_prices","data":{names}}}'.encode()
            while connection.is_open:
                raw.send(0x81, text)
                await asyncio.sleep(0)
                assert connection.buffered_len < 2 * MiB
            assert simulator.connections == []
            raw.writer.transport.abort()

    run(test())


@pytest.mark.parametrize("data", [b"\xff\xff", b"\x82\x80", b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_no_websocket_ends_its_connection_alone(data: bytes) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            reader = await subscriber(simulator)
            raw, _ = await Raw.open(simulator, target="/evm/publish")
            raw.writer.write(data * 1000)
            await asyncio.wait_for(raw.reader.read(1), 10)
            await until(lambda: len(simulator.connections) == 1)
            raw.close()
            all_good(await publish(simulator, reader, 1), simulator.signer)

    run(test())
