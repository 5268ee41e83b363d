"""From a live feed to the disk, and from the disk to a live feed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from live import TOKEN, feed_of, run

import codec
from codec.feeds import FastFeed
from codec.recording import Recorder, read
from codec.simulator import Simulator

ASSETS = range(1, 6)


async def recorded(folder: Path) -> list[codec.Batch]:
    """Records a stream with some faults; what the feed gave meanwhile."""
    batches = []
    async with Simulator(assets=ASSETS, keep_sent=True) as simulator:
        with Recorder(folder) as recorder:
            feed = feed_of(
                simulator.url,
                token="simulator",
                assets=ASSETS,
                channel="10ms",
                recorder=recorder,
            )
            async with feed:
                async for batch in feed:
                    batches.append(batch)
                    if len(batches) == 20:
                        simulator.faults.garbage_text = 3
                        simulator.faults.cut = True
                    if feed.stats.messages >= 60:
                        break
            n_good = feed.stats.messages
        received = [text for c in simulator.history for text in c.sent]
    stats = recorder.stats
    assert stats.n_lost == 0 and stats.n_written >= len(received) - 3
    assert stats.n_written >= n_good + feed.stats.bad + feed.stats.not_data
    return batches


def test_what_is_recorded_is_what_was_delivered(tmp_path: Path) -> None:
    batches = run(recorded(tmp_path))
    again = codec.decode_lines(b"".join(read(tmp_path)), on_error="skip")
    n_messages = sum(batch.n_messages for batch in batches)
    assert n_messages >= 60 and again.n_messages >= n_messages
    rows = [row for batch in batches for row in batch.updates.tolist()]
    assert again.updates.tolist()[: len(rows)] == rows
    times = [t for batch in batches for t in batch.messages["receive_ns"].tolist()]
    assert again.messages["receive_ns"].tolist()[: len(times)] == times
    assert {codec.ErrorCode(code) for code in again.errors["code"].tolist()} > {
        codec.ErrorCode.NOT_DATA
    }


def test_a_recording_is_served_to_a_feed(tmp_path: Path) -> None:
    run(recorded(tmp_path))
    expected = codec.decode_lines(b"".join(read(tmp_path)), on_error="skip")
    command = [sys.executable, "-m", "codec", "replay", tmp_path, "--serve", "0"]
    server = subprocess.Popen([*command, "--fast"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().split(": waits")[0]

    async def main() -> FastFeed:
        rows: list[tuple[object, ...]] = []
        async with feed_of(url, token=TOKEN, assets=ASSETS, channel="10ms") as feed:
            async for batch in feed:
                rows += batch.updates.tolist()
                if feed.stats.messages == expected.n_messages:
                    break
        assert rows == expected.updates.tolist()
        return feed

    try:
        feed = run(main())
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.stdout.close()
    assert feed.stats.messages == expected.n_messages
