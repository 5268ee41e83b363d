"""`stork-codec record` as a process: all is on the disk, whichever way it ends."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from commands import Terminal, run, served, started, until

import codec
from codec.recording import read_frames, verify


def frames(folder: Path) -> list[bytes]:
    return [frame for _, frame in read_frames([str(folder)])]


def test_a_simulator_for_some_seconds(tmp_path: Path) -> None:
    done = run("record", "-o", tmp_path, "--seconds", "1.5", "--assets", "1-3")
    assert (done.returncode, done.stderr) == (0, "")
    first, last = done.stdout.splitlines()
    assert first.startswith("recording ws://127.0.0.1:") and "simulated" in first
    found = re.fullmatch(
        rf"recorded (\d+) messages, [\d.]+ kB of lines, in {tmp_path}: 1 new segment",
        last,
    )
    assert found
    (report,) = verify([str(tmp_path)])
    assert report.is_good and report.n_messages == int(found[1]) > 10
    # The answer to the subscription is part of what came.
    n_data = len(codec.decode(frames(tmp_path), on_error="skip").messages)
    assert n_data == report.n_messages - 1


def test_everything_is_recorded_as_it_came(tmp_path: Path) -> None:
    with served(keep_sent=True) as simulator:
        simulator.faults.garbage_text = 5
        options = ("--assets", "1,2", "--channel", "10ms", "--prefix", "mine")
        more = ("--messages", "50", "--plain", "--segment-mb", "0.005")
        done = run("record", simulator.url, "-o", tmp_path, *options, *more)
        (connection,) = simulator.history
        sent = list(connection.sent)
    assert done.returncode == 0
    assert "5 could not be decoded" in done.stdout
    kept = frames(tmp_path)[1:]
    assert len(kept) >= 55
    assert kept == [frame.replace(b"\n", b"\r") for frame in sent[: len(kept)]]
    names = sorted(path.name for path in tmp_path.glob("mine-*.ndjson"))
    assert len(names) > 2
    assert max(path.stat().st_size for path in tmp_path.glob("mine-*.ndjson")) <= 5000


def test_segments_by_time(tmp_path: Path) -> None:
    options = ("--seconds", "3.5", "--segment-seconds", "0.8")
    assert run("record", "-o", tmp_path, *options).returncode == 0
    assert len(list(tmp_path.glob("*.zst"))) >= 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_with_an_index(number: int, tmp_path: Path) -> None:
    with served() as simulator:
        options = (simulator.url, "--assets", "1", "-o", tmp_path)
        with started("record", *options) as process:
            until(lambda: simulator.connections and simulator.connections[0].n_sent > 5)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    (report,) = verify([str(tmp_path)])
    assert report.is_good and report.index is not None
    assert f"recorded {report.n_messages} messages" in out


def test_killed_it_leaves_what_can_be_read(tmp_path: Path) -> None:
    with served() as simulator:
        options = (simulator.url, "--assets", "1", "-o", tmp_path)
        with started("record", *options) as process:
            # More than the segment's first frame, which holds no messages.
            until(lambda: any(p.stat().st_size > 2000 for p in tmp_path.glob("*.part")))
            process.kill()
            process.communicate(timeout=60)
        assert len(frames(tmp_path)) > 0
        assert run("record", *options, "--messages", "5").returncode == 0


def test_signatures_are_counted_and_recorded(tmp_path: Path) -> None:
    with served() as simulator:
        simulator.faults.wrong_key = 7
        options = ("--assets", "1", "--signer", simulator.signer)
        more = ("--on-bad-signature", "drop", "--messages", "10")
        done = run("record", simulator.url, "-o", tmp_path, *options, *more)
    assert done.returncode == 0 and "7 had a bad signature" in done.stdout
    assert len(frames(tmp_path)) >= 18


def test_a_line_that_is_kept_up_in_a_terminal(tmp_path: Path) -> None:
    terminal = Terminal("record", "-o", tmp_path, "--log-level", "info")
    terminal.read_until("0 lost  disk ok")
    terminal.read_until("info opened, ")
    terminal.signal(signal.SIGINT)
    assert terminal.status() == 0
    assert "\x1b[K" in terminal.text and "1 new segment" in terminal.text
    for line in re.split(r"[\r\n]", terminal.text):
        assert "disk ok" not in line or "info" not in line


def test_events_of_the_recorder_are_logged(tmp_path: Path) -> None:
    log = tmp_path / "log"
    options = ("--log-format", "json", "--log-file", log, "--log-level", "info")
    done = run("record", "-o", tmp_path / "out", "--seconds", "1", *options)
    assert done.returncode == 0 and done.stderr == ""
    kinds = [json.loads(line).get("kind") for line in log.read_text().splitlines()]
    assert kinds.count("closed") == 1 and "state" in kinds


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs prlimit's effect")
def test_what_is_lost_is_said(tmp_path: Path) -> None:
    def no_files_grow() -> None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))

    options = ("-o", tmp_path, "--seconds", "2")
    with started("record", *options, preexec_fn=no_files_grow) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search(r"stork-codec: lost \d+ messages, .* the disk did not", err)
    assert "recorded 0 messages" in out


def test_a_folder_that_is_taken(tmp_path: Path) -> None:
    with started("record", "-o", tmp_path) as process:
        assert process.stdout
        process.stdout.readline()
        done = run("record", "-o", tmp_path, "--seconds", "1")
        assert done.returncode == 1 and done.stderr.count("\n") == 1
    done = run("record", "-o", "/proc/nothing", "--seconds", "1")
    assert done.returncode == 1 and done.stderr.startswith("stork-codec: ")


def test_wrong_options(tmp_path: Path) -> None:
    done = run("record")
    assert done.returncode == 2 and "-o FOLDER" in done.stderr
    done = run("record", "-o", tmp_path, "--prefix", "a/b")
    assert done.returncode == 2 and done.stderr.startswith("stork-codec: ")
    for wrong in (["--messages", "0"], ["--segment-mb", "-1"], ["--seconds", "x"]):
        assert run("record", "-o", tmp_path, *wrong).returncode == 2
    assert list(tmp_path.iterdir()) == []
