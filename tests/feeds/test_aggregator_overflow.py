"""When messages of the aggregator come faster than they are asked for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aggregating import (
    NAMES,
    SIGNER,
    TIME_NS,
    Reader,
    by_hand,
    entry,
    feed_of,
    message,
    prices,
    publish,
    rows_in,
    rows_of,
    subscribed,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from live import run, until
from raw_server import Connection, RawServer, frame

from codec import aggregator
from codec.feeds import EventKind
from codec.feeds.aggregator_conflation import conflate

FORGER = bytes(31) + b"\7"


def line(text: bytes, receive_ns: int = 5) -> bytes:
    return b"%d %s\n" % (receive_ns, text)


@pytest.mark.parametrize("policy", ["wait", "drop_oldest", "conflate"])
def test_every_policy(policy: Any) -> None:
    """The newest value of each asset comes whatever is given up."""

    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(simulator.url, on_overflow=policy, max_queue_len=60_000)
            async with feed:
                await subscribed(simulator)
                await publish(simulator, 60)
                rows: list[tuple[str, int, int]] = []
                sent = rows_in(
                    text
                    for text in simulator.connections[0].sent
                    if b"oracle_prices" in text[:40]
                )
                assert len(sent) == 120
                while not rows or rows[-1] != sent[-1]:
                    rows += rows_of(await anext(feed))
            stats = feed.stats
            if policy == "wait":
                assert rows == sent and stats.dropped == 0
            else:
                assert stats.dropped > 0 and set(rows) <= set(sent)
                assert feed.events.counts[EventKind.OVERFLOW] == stats.dropped
            assert rows[-2:] == sent[-2:]

    run(main())


def test_conflation_keeps_whole_messages_and_answers() -> None:
    both = prices(0, NAMES[:2])
    first = prices(1, NAMES[:1])
    answer = b'{"type":"subscribe","data":["BTCUSD"]}'
    chunks = [
        line(prices(-2)) + line(answer) + line(b"no JSON") + line(prices(-1)),
        line(both, 6) + line(first, 7),
    ]
    text, n = conflate(chunks, require="all", signers=SIGNER)
    assert (text, n) == (line(answer) + line(both, 6) + line(first, 7), 3)


@pytest.mark.parametrize("require", ["aggregate", "all", "none"])
def test_what_does_not_pass_makes_nothing_old(require: Any) -> None:
    good = prices(0, NAMES[:1])
    forged = prices(1, NAMES[:1], key=FORGER)
    bad = entry(timestamp_ns=TIME_NS + 2 * 10**7)
    bad["signed_prices"][0]["price"] = "77"
    only_all = message({"BTCUSD": bad})
    chunks = [line(good) + line(only_all) + line(forged)]
    text, n = conflate(chunks, require=require, signers=SIGNER)
    expected = {"aggregate": only_all, "all": good, "none": only_all}[require]
    assert (text, n) == (line(expected), 1)


def test_nothing_to_conflate() -> None:
    assert conflate([], require="all") == (b"", 0)
    assert conflate([b""], require="all") == (b"", 0)
    assert conflate([b"5 x\n5 y\n"], require="all") == (b"", 0)


ENTRIES = {
    (name, time, is_good): entry(
        name,
        time,
        timestamp_ns=TIME_NS + time,
        key=bytes(range(1, 33)) if is_good else FORGER,
        publishers=[],
    )
    for name in "abc"
    for time in range(4)
    for is_good in (True, False)
}


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abc"),
            st.tuples(st.integers(0, 3), st.booleans()),
            max_size=3,
        ),
        max_size=6,
    )
)
def test_against_a_slow_account(stream: list[dict[str, tuple[int, bool]]]) -> None:
    texts = [
        message({name: ENTRIES[name, *of] for name, of in each.items()})
        for each in stream
    ]
    best: dict[str, tuple[int, int]] = {}
    for i, each in enumerate(stream):
        for name, (time, is_good) in each.items():
            if is_good:
                best[name] = max(best.get(name, (-1, -1)), (time, i))
    expected = sorted({i for _, i in best.values()})
    lines = [line(text, i) for i, text in enumerate(texts)]
    text, n = conflate([b"".join(lines)], require="aggregate", signers=SIGNER)
    assert text == b"".join(lines[i] for i in expected)
    assert n == len(expected)


def test_a_message_of_several_faults_among_good_entries() -> None:
    entries: dict[str, Any] = {"x": 5, "a": entry("a"), "y": [], "b": entry("b")}
    text, n = conflate([line(message(entries))], require="all")
    assert (
        n == 1 and json.loads(text.partition(b" ")[2])["data"].keys() == entries.keys()
    )
    batch = aggregator.decode_lines(text, on_error="skip")
    assert len(batch) == 2 and len(batch.errors) == 2


def test_a_queue_of_one_large_message() -> None:
    names = [f"ASSET{i}" for i in range(100)]

    async def behave(connection: Connection) -> None:
        for i in range(5):
            await connection.send(frame(prices(i, names)))

    async def main() -> None:
        async with RawServer(behave) as server:
            feed = feed_of(server.url, on_overflow="conflate", max_queue_len=50_000)
            async with feed:
                await until(lambda: feed._inbox.n_dropped >= 3)
                await asyncio.sleep(0.1)
                rows = rows_of(await anext(feed))
            assert rows[-100:] == rows_in([prices(4, names)])

    run(main())


def test_conflation_while_a_worker_checks() -> None:
    names = [f"ASSET{i}" for i in range(150)]
    texts = [prices(i, names) for i in range(12)]

    async def behave(connection: Connection) -> None:
        for text in texts:
            await connection.send(frame(text))
            await asyncio.sleep(0.002)

    async def main() -> None:
        async with RawServer(behave) as server:
            feed = feed_of(server.url, on_overflow="conflate", max_queue_len=1 << 20)
            async with Reader(feed) as reader:
                last = rows_in(texts[-1:])
                await until(lambda: reader.rows[-150:] == last)
                assert reader.failure is None

    run(main())
