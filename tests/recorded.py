"""Lines to record, recordings of them, and a process that records till it is killed."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import codec
from codec.recording import Recorder, RecorderEvent

BEGIN_NS = 1764608698685038908
STEP_NS = 10_000_000
KEY = b"\x07" * 32


def line(i: int) -> bytes:
    """A line whose text is different for each i, received 10 ms after the last."""
    return b'%d {"type":"test","n":%d,"half":"%x"}\n' % (
        BEGIN_NS + i * STEP_NS,
        i,
        i * 2654435761 % 2**32,
    )


def lines(n: int, start: int = 0) -> bytes:
    return b"".join(map(line, range(start, start + n)))


def frame_lines(n: int) -> bytes:
    """Signed Stork Fast frames."""
    return b"".join(
        b"%d %s\n"
        % (
            BEGIN_NS + i,
            codec.to_frame(
                codec.encode(
                    [1, 2, i % 7],
                    [10**18 + i, -i, i * 10**9],
                    timestamp_ns=BEGIN_NS + i,
                    taxonomy_id=1,
                    key=KEY,
                )
            ),
        )
        for i in range(n)
    )


def record(
    folder: Path,
    chunks: list[bytes],
    *,
    each_its_frame: bool = False,
    **options: object,
) -> list[Path]:
    """Records, and gives the closed segments."""
    options = {"sync_seconds": 0.01, **options}
    with Recorder(folder, **options) as recorder:  # type: ignore[arg-type]
        for chunk in chunks:
            assert recorder.write(chunk, chunk.count(b"\n"))
            if each_its_frame:
                wait_for(lambda: recorder.stats.queue_len == 0)
    assert recorder.stats.failure is None
    return sorted(
        path for path in folder.iterdir() if path.name.endswith((".ndjson", ".zst"))
    )


def wait_for(condition: object, seconds: float = 30.0) -> None:
    """Returns once the function gives true; fails after that time."""
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.002)


def child(folder: str, compression: str, start: int) -> None:
    """Records a line a millisecond and says what is on the disk, until it is killed."""

    def tell(event: RecorderEvent) -> None:
        print(json.dumps({"event": str(event)}), file=sys.stderr, flush=True)

    recorder = Recorder(
        folder,
        compression=compression,  # type: ignore[arg-type]
        sync_seconds=0.02,
        max_segment_len=8_000,
        on_event=tell,
    )
    recorder.start()
    n_synced = -1
    for i in range(start, start + 10**6):
        assert recorder.write(line(i), 1)
        if recorder.stats.n_synced > n_synced:
            n_synced = recorder.stats.n_synced
            print(n_synced, flush=True)
        time.sleep(0.001)


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2], int(sys.argv[3]))


def made_segments(folder: Path, n: int) -> Path:
    """Segments of the `n` messages of `frame_lines`, in frames of 250 of them."""
    lines = frame_lines(n).splitlines(keepends=True)
    chunks = [b"".join(lines[i : i + 250]) for i in range(0, n, 250)]
    record(folder, chunks, each_its_frame=True, max_segment_len=200_000)
    return folder
