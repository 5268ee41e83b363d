"""A stream on which anything goes wrong at any time, and then nothing any more."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import pytest
from following import Reader, by_hand, reader_of, reasons, subscribed
from live import run, until

import codec
from codec.feeds import ConnectionSettings, State
from codec.simulator import Simulator
from codec.simulator.faults import EVENTS

ALL = range(1, 21)
# What becomes of each message can be told from these: no resets, and nothing fatal.
EVENT_VALUES: dict[str, tuple[Any, ...]] = {
    "cut": (True, 3),
    "close": (True, 1012, (2, 4000)),
    "half_frame": ("cut", (3, "cut"), "stall"),
    "garbage": (True,),
    "bomb": (2 << 20,),
    "oversize": (2 << 20,),
    "error_message": (True, "what?"),
}
OTHERS: dict[str, tuple[Any, ...]] = {
    "garbage_text": (1, 5),
    "wrong_key": (1, 5),
    "high_s": (1, 5),
    "taxonomy_change": (1, 5),
    "duplicate_asset": (1, 5),
    "backwards": (1, 5),
    "future": (1, 5),
    "skip_ticks": (1, 5),
    "burst": (2, 5),
    "silence": (True,),
    "withhold_pong": (True,),
    "slow": (300, 3000),
    "fragment": (2, 7),
    "silent_asset": (1, 2),
    "status": ((503, 2), (429, 1)),
    "require_deflate": (True,),
}
STATES_OFF = ("silence", "withhold_pong", "require_deflate")
LAST = "it lives"
FULL = bool(os.environ.get("CI")) and not os.environ.get("CODEC_SANITIZE")
N_SEEDS = 10 if FULL else 4


def switch_off(simulator: Simulator) -> None:
    for name in OTHERS:
        setattr(simulator.faults, name, False if name in STATES_OFF else None)
    for name in EVENTS:
        setattr(simulator.faults, name, None)


async def trouble(simulator: Simulator, feed: Any, dice: random.Random) -> None:
    """For a while, one thing after the other."""
    for _ in range(60):
        await asyncio.sleep(dice.choice((0, 0.002, 0.01, 0.03)))
        kind = dice.random()
        if kind < 0.25:
            name = dice.choice(list(EVENT_VALUES))
            setattr(simulator.faults, name, dice.choice(EVENT_VALUES[name]))
        elif kind < 0.6:
            name = dice.choice(list(OTHERS))
            setattr(simulator.faults, name, dice.choice(OTHERS[name]))
        elif kind < 0.7:
            await feed.subscribe(dice.sample(ALL, 3))
        elif kind < 0.8:
            await feed.unsubscribe(set(dice.sample(ALL, 3)) - {1})
        elif kind < 0.9:
            switch_off(simulator)
        else:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_it_recovers_and_accounts_for_everything(seed: int) -> None:
    dice = random.Random(seed)

    async def publish_on(simulator: Simulator) -> None:
        while True:
            simulator.publish_now()
            await asyncio.sleep(dice.choice((0, 0.001, 0.004)))

    async def main() -> None:
        async with by_hand(assets=ALL, deflate=bool(seed % 3)) as simulator:
            feed = reader_of(
                simulator,
                assets=[1, 2, 3],
                signers=simulator.signer,
                on_bad_signature=dice.choice(("raise", "drop")),
                silence=0.3,
                absent_after=0.5,
                connection=ConnectionSettings(
                    reconnect_delays_s=(0.001, 0.02),
                    max_message_len=1 << 20,
                    ping_after_s=0.1,
                    pong_timeout_s=0.1,
                ),
            )
            async with Reader(feed) as reader:
                publishing = asyncio.create_task(publish_on(simulator))
                await until(lambda: len(reader.messages) > 3)
                await trouble(simulator, feed, dice)
                switch_off(simulator)
                await until(lambda: len(simulator.connections) == 1)
                # A connection that is ended only by silence may be left.
                await asyncio.sleep(0.7)
                await until(lambda: feed.states == (State.CONNECTED,))
                await subscribed(simulator, feed.assets)
                publishing.cancel()
                simulator.publish_now()
                last = simulator.connections[0]
                n = len(last.sent)
                await until(lambda: reader.messages[-1:] == last.sent[-1:])
                assert n == len(last.sent)
            assert reader.failure is None
            account(simulator, reader)

    run(main())


def account(simulator: Simulator, reader: Reader) -> None:
    """Of each connection the good messages were delivered, in order and once: all that
    were sent if it was the server that ended it, else a beginning. Bad ones count."""
    batch = codec.decode(
        [text for connection in simulator.history for text in connection.sent],
        on_error="skip",
        signers=simulator.signer,
        on_bad_signature="drop",
    )
    good = {codec.to_frame(batch.payload(i)) for i in range(len(batch.messages))}
    why = [reason for reason in reasons(reader.feed) if not reason.startswith("HTTP")]
    place = n_bad = 0  # those that must have been read
    for connection, reason in zip(simulator.history, [*why, LAST], strict=True):
        expected = [text for text in connection.sent if text in good]
        begin = place
        for text in expected:
            if reader.messages[place : place + 1] != [text]:
                break
            place += 1
        if reason is LAST or reason.startswith("closed with code"):
            assert place - begin == len(expected), reason
            n_bad += len(connection.sent) - len(expected)
    assert place == len(reader.messages) == reader.feed.stats.messages
    stats = reader.feed.stats
    assert n_bad <= stats.bad + stats.bad_signatures <= len(batch.errors)
    assert stats.dropped == stats.duplicates == 0
