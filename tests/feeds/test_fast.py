"""What a Stork Fast feed delivers: channels, types, signatures, subscriptions."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import numpy as np
import pytest
from following import (
    PAST_NS,
    Reader,
    by_hand,
    event_of,
    kinds,
    odd,
    publish,
    publishing,
    reader_of,
    sent,
    subscribed,
    texts,
)
from live import run, until

import codec
from codec import Taxonomy
from codec.errors import BadSignatureError, ErrorCode, FeedAuthError, SignatureError
from codec.feeds import EventKind, FastFeed
from codec.simulator import Simulator

CHANNELS = ("10ms", "20ms", "50ms", "100ms", "500ms", "1s", "real_time")
FORGER = bytes(31) + b"\7"


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("message_type", ["signed_ecdsa", "unsigned"])
@pytest.mark.parametrize("market_status", [False, True])
def test_rows_are_those_that_were_sent(
    channel: Any, message_type: Any, market_status: bool
) -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = reader_of(
                simulator,
                channel=channel,
                message_type=message_type,
                market_status=market_status,
                signers=simulator.signer if message_type == "signed_ecdsa" else None,
            )
            async with feed:
                await subscribed(simulator)
                before = time.time_ns()
                await publish(simulator, 20)
                batches: list[codec.Batch] = []
                while sum(len(batch.messages) for batch in batches) < 20:
                    batches.append(await anext(feed))
                after = time.time_ns()
            expected = codec.decode(sent(simulator))
            updates = np.concatenate([batch.updates for batch in batches])
            assert (updates == expected.updates).all()
            assert len(updates) == feed.stats.updates
            messages = np.concatenate([batch.messages for batch in batches])
            for name in ("timestamp_ns", "taxonomy_id", "kind", "layout"):
                assert (messages[name] == expected.messages[name]).all()
            layout = (2 if market_status else 1) if message_type != "unsigned" else 0
            assert set(messages["layout"].tolist()) == {layout}
            assert ((updates["market_status"] != 255).any()) == market_status or (
                set(updates["asset_id"].tolist()) <= {1, 2, 3, 4}
            )
            received = messages["receive_ns"].astype(np.int64)
            assert (np.diff(received) >= 0).all()
            assert before <= received.min() and received.max() <= after
            assert kinds(feed) == []
            verified = [batch.verified for batch in batches]
            if message_type == "signed_ecdsa":
                assert all(each is not None and each.all() for each in verified)
            else:
                assert all(each is None for each in verified)

    run(main())


def test_market_statuses() -> None:
    async def main() -> None:
        ids = range(1, 101)
        async with by_hand(assets=ids) as simulator:
            feed = reader_of(simulator, assets=ids, market_status=True)
            async with feed:
                await subscribed(simulator, ids)
                await publish(simulator, 1)
                updates = (await anext(feed)).updates
            assert updates["asset_id"].tolist() == list(ids)
            statuses = simulator.market.statuses
            assert updates["market_status"].tolist() == statuses.tolist()
            assert set(statuses.tolist()) > {0, 1, 2, 255}

    run(main())


# Signatures.


@pytest.mark.parametrize("fault", ["wrong_key", "high_s"])
@pytest.mark.parametrize("is_known", [False, True], ids=["address", "known key"])
@pytest.mark.parametrize("policy", ["raise", "mark", "drop"])
def test_bad_signatures_among_good_ones(
    fault: str, is_known: bool, policy: Any
) -> None:
    """In one chunk, and over the many messages after which keys are known anyway."""

    async def main() -> None:
        async with by_hand() as simulator:
            public = simulator._messages.key.public_key.format()
            signer = codec.KnownSigner(public) if is_known else simulator.signer
            feed = reader_of(simulator, signers=signer, on_bad_signature=policy)
            bad = set(range(5, 8)) | {40} | set(range(290, 300))
            verdicts: list[bool] = []
            async with Reader(feed) as reader:
                await subscribed(simulator)
                for i in range(300):
                    setattr(simulator.faults, fault, 1 if i in bad else None)
                    simulator.publish_now()
                    if i % 97 == 0:
                        await asyncio.sleep(0.01)
                wanted = [
                    text
                    for i, text in enumerate(sent(simulator))
                    if policy == "mark" or i not in bad
                ]
                await reader.has(len(wanted))
            verdicts = codec.decode(sent(simulator)).verify(simulator.signer).tolist()
            assert [i for i, good in enumerate(verdicts) if not good] == sorted(bad)
            assert reader.messages == wanted
            stats = feed.stats
            assert stats.bad_signatures == len(bad) and stats.bad == 0
            assert stats.messages == len(wanted)
            assert feed.events.counts[EventKind.BAD_SIGNATURE] == len(bad)
            assert (len(reader.raised) > 0) == (policy == "raise")
            codes = {error.code for error in reader.raised}
            assert codes <= {ErrorCode.WRONG_SIGNER, ErrorCode.HIGH_S}

    run(main())


def test_the_error_comes_before_the_good_messages_of_its_chunk() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = reader_of(simulator, signers=[simulator.signer])
            async with feed:
                await subscribed(simulator)
                simulator.publish_now()
                simulator.faults.wrong_key = 2
                for _ in range(4):
                    simulator.publish_now()
                await until(lambda: feed.stats.queued == 6)  # and the answer
                with pytest.raises(BadSignatureError) as caught:
                    await anext(feed)
                assert caught.value.code == ErrorCode.WRONG_SIGNER
                batch = await anext(feed)
                assert (
                    batch.verified is not None and batch.verified.tolist() == [True] * 3
                )
                good = [sent(simulator)[i] for i in (0, 3, 4)]
                assert texts(batch) == good

    run(main())


def test_marks() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = reader_of(
                simulator,
                signers=iter([simulator.signer]),  # taken once, used often
                on_bad_signature="mark",
                on_overflow="conflate",
            )
            async with feed:
                await subscribed(simulator)
                simulator.faults.wrong_key = 2
                for _ in range(4):
                    simulator.publish_now()
                await until(lambda: feed.stats.queued == 5)
                batch = await anext(feed)
                assert batch.verified is not None
                assert batch.verified.tolist() == [False, False, True, True]

    run(main())


def test_only_forgeries_are_silence() -> None:
    async def main() -> None:
        async with by_hand(key=FORGER) as simulator:
            address = codec.KnownSigner(
                codec.encode(
                    [], [], timestamp_ns=1, taxonomy_id=1, key=bytes(31) + b"\1"
                )
            ).address
            feed = reader_of(
                simulator, signers=address, on_bad_signature="mark", silence=0.2
            )
            async with Reader(feed) as reader, publishing(simulator):
                await until(lambda: len(simulator.history) == 2)
            assert len(reader.messages) > 10  # marked
            assert any("no valid data" in event.text for event in feed.events)

    run(main())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"signers": "0x1234"}, SignatureError),
        ({"signers": "0x" + "00" * 20, "message_type": "unsigned"}, ValueError),
        ({"on_bad_signature": "ignore"}, ValueError),
        ({"on_overflow": "explode"}, ValueError),
        ({"channel": "30ms"}, ValueError),
        ({"message_type": "signed"}, ValueError),
        ({"assets": [65536]}, ValueError),
        ({"assets": [True]}, TypeError),
        ({"assets": ["1"]}, TypeError),
        ({"token": "two words"}, ValueError),
        ({"token": 7}, TypeError),
        ({"url": "https://fast.example"}, ValueError),
        ({"url": "ws://me:secret@fast.example"}, ValueError),
        ({"url": "ws://fast.example?channel=1s"}, ValueError),
        ({"urls": []}, ValueError),
        ({"urls": "ws://one"}, ValueError),
    ],
)
def test_arguments_that_make_no_sense(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    fine: dict[str, Any] = {"token": "t", "assets": [1]}
    if "urls" not in arguments:
        fine["url"] = "ws://fast.example"
    with pytest.raises(error) as caught:
        FastFeed(**(fine | arguments))
    assert "secret" not in str(caught.value)


# Time, taxonomies.


def test_max_age() -> None:
    async def main() -> None:
        now = PAST_NS + 10**12
        async with by_hand(time_ns=lambda: now) as simulator:
            feed = reader_of(simulator, max_age=5.0, clock_ns=lambda: now)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                await publish(simulator, 5)
                simulator.faults.backwards = 3  # by ten seconds
                await publish(simulator, 8)
                await reader.has(10)
                assert reader.messages == sent(simulator)[:5] + sent(simulator)[8:]
            assert feed.stats.stale == 3 == feed.events.counts[EventKind.STALE]
            assert feed.stats.messages == 10

    run(main())


@pytest.mark.parametrize(
    ("expected", "is_other"),
    [
        (None, False),
        (1, False),
        (9, True),
        (Taxonomy.from_ids({3: "BTCUSD"}, 1), False),
        (Taxonomy.from_ids({3: "BTCUSD"}, 9), True),
        (Taxonomy({(8, 3): "BTCUSD", (9, 3): "BTCUSD"}), False),
        (Taxonomy({}), False),
    ],
)
def test_the_expected_taxonomy(expected: int | Taxonomy | None, is_other: bool) -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = reader_of(simulator, taxonomy=expected)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                await publish(simulator, 5)
                await reader.has(5)
            events = [(str(e.kind), e.data["taxonomy_id"]) for e in odd(feed)]
            assert events == ([("taxonomy_change", 1)] if is_other else [])

    run(main())


# Tokens.


def test_a_token_that_rotates() -> None:
    async def main() -> None:
        tokens = [f"token{i}" for i in range(20)]
        given = itertools.count()
        async with by_hand(token=tokens[0]) as simulator:

            async def token() -> str:
                return tokens[next(given)]

            async with Reader(reader_of(simulator, token=token)) as reader:
                for i in range(10):
                    await subscribed(simulator)
                    await publish(simulator, 3)
                    simulator.set_token(tokens[i + 1])
                    simulator.faults.cut = True
                await subscribed(simulator)
                await reader.has_all_of(simulator)
            assert {attempt.status for attempt in simulator.attempts} == {101}

    run(main())


def test_a_token_that_cannot_be_renewed() -> None:
    """The server's refusal is told, not that of whoever gives tokens."""

    async def main() -> None:
        asked = 0

        def token() -> str:
            nonlocal asked
            asked += 1
            if asked > 1:
                raise OSError("a secret")
            return "old"

        async with by_hand() as simulator:
            async with Reader(reader_of(simulator, token=token)) as reader:
                await until(lambda: reader.failure is not None)
            assert isinstance(reader.failure, FeedAuthError)
            assert "HTTP 401" in str(reader.failure)
            assert "secret" not in str(reader.failure)

    run(main())


# Subscriptions.


def test_ten_thousand_assets() -> None:
    async def main() -> None:
        ids = range(10_000)
        async with by_hand(assets=ids) as simulator:
            feed = reader_of(simulator, assets=ids, signers=simulator.signer)
            async with Reader(feed) as reader:
                await subscribed(simulator, ids)
                requests = simulator.connections[0].received
                assert [len(request["assets"]) for request in requests] == [1000] * 10
                asked = [request["assets"] for request in requests]
                assert list(itertools.chain.from_iterable(asked)) == list(ids)
                await publish(simulator, 5)
                await reader.has_all_of(simulator)
            updates = codec.decode(reader.messages[-1:]).updates
            assert updates["asset_id"].tolist() == list(ids)
            market = simulator.market
            rows = market.rows(market.asset_ids)
            values = market.values(rows, int(updates["timestamp_ns"][0]))
            assert (updates["value"] == values).all()
            assert feed.stats.updates == 50_000
            assert feed.events.counts[EventKind.ACKNOWLEDGED] == 10
            assert kinds(feed) == []

    run(main())


def test_subscribing_at_run_time() -> None:
    async def main() -> None:
        async with by_hand(assets=range(3000)) as simulator:
            feed = reader_of(simulator, assets=[])
            assert feed.assets == frozenset()
            await feed.subscribe([7])  # before it is open
            async with Reader(feed) as reader:
                await subscribed(simulator, [7])
                await feed.subscribe(range(2500))
                await subscribed(simulator, range(2500))
                await publish(simulator, 1)
                await feed.unsubscribe(range(1, 3000))
                await subscribed(simulator, [0])
                await publish(simulator, 1)
                for wrong in ([-1], [1 << 16], [1.5], [True], ["1"], [None]):
                    with pytest.raises((TypeError, ValueError)):
                        await feed.subscribe([2, *wrong])
                    with pytest.raises((TypeError, ValueError)):
                        await feed.unsubscribe([0, *wrong])
                assert feed.assets == {0}
                n = len(simulator.connections[0].received)
                await feed.subscribe([0])  # nothing new: nothing is sent
                await feed.unsubscribe([5])
                await feed.unsubscribe([0])
                await subscribed(simulator, [])
                assert len(simulator.connections[0].received) == n + 1
                await reader.has_all_of(simulator)
            sizes = [len(codec.decode([text])) for text in reader.messages]
            assert sizes == [2500, 1]

    run(main())


def test_an_asset_that_the_server_does_not_know() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = reader_of(simulator, assets=[1, 999])
            async with Reader(feed) as reader:
                error = await event_of(feed, EventKind.SERVER_ERROR)
                assert "unknown asset ids: [999]" in error.text
                await publish(simulator, 3)
                await reader.has_all_of(simulator)
            assert kinds(feed) == ["server_error"]

    run(main())


def test_a_free_running_server() -> None:
    """All that it sends, at its own pace, on a grid without a gap."""

    async def main() -> None:
        async with Simulator(keep_sent=True) as simulator:
            feed = reader_of(simulator, signers=simulator.signer)
            async with Reader(feed) as reader:
                await until(lambda: len(reader.messages) >= 100)
                simulator.faults.silence = True
                await reader.has_all_of(simulator)
            assert kinds(feed) == []
            age = feed.stats.age
            assert age.p50_s is not None and 0 <= age.p50_s < 5

    run(main())
