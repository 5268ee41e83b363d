"""`stork-codec watch` as a process: in a terminal, in a pipe, and how it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request

import pytest
from commands import TOKEN, Terminal, run, served, started, until

LEAVES_SCREEN = "\x1b[?1049l"


def test_without_a_url_it_watches_a_simulator() -> None:
    done = run("watch", "--seconds", "2.2", "--assets", "1-3", "--channel", "10ms")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii() and "\x1b" not in done.stdout
    head, *lines = done.stdout.splitlines()
    assert re.fullmatch(r"ws://127.0.0.1:\d+/ws, simulated  10ms, signed", head)
    rows = [line for line in lines if line.endswith(" yes")]
    assert [row.split()[1] for row in rows] == ["BTCUSD", "ETHUSD", "SOLUSD"]
    assert re.search(r" 1  BTCUSD +\d+\.\d{18} ", rows[0])
    pulses = [line for line in lines if "messages/s" in line]
    assert len(pulses) == 3 and "connected" in pulses[0]
    assert re.search(r"age p50 [\d.]+ p99 [\d.]+ p99.9 [\d.]+ ms", pulses[-1])
    last = r"(\d+) messages, (\d+) updates in 2\.\d s, all verified"
    found = re.fullmatch(last, lines[-1])
    assert found and int(found[2]) == 3 * int(found[1]) > 200


def test_every_changes_how_often_a_line_comes() -> None:
    done = run("watch", "--seconds", "1.2", "--every", "0.3")
    assert done.stdout.count("messages/s") == 4


@pytest.mark.parametrize("unsigned", [False, True])
def test_another_server_and_no_signer(unsigned: bool) -> None:
    with served() as simulator:
        options = ("--assets", "1,2", "--seconds", "1.1", "--market-status")
        kind = ["--unsigned"] if unsigned else []
        done = run("watch", simulator.url, *options, *kind)
    assert done.returncode == 0 and "verified" not in done.stdout.splitlines()[-1]
    head = done.stdout.splitlines()[0]
    assert head.endswith("unsigned" if unsigned else "signed, not verified")
    assert not re.search(r" (yes|NO)\b", done.stdout)


def test_what_is_wrong_is_shown() -> None:
    with served() as simulator:
        simulator.faults.wrong_key = True
        options = (simulator.url, "--assets", "1", "--signer", simulator.signer)
        done = run("watch", *options, "--seconds", "1.2", "--log-level", "error")
        assert done.returncode == 0
        assert re.search(r"bad signatures [1-9]", done.stdout)
        assert done.stdout.count(" NO") == 1
        assert done.stdout.splitlines()[-1].endswith(" 0 verified")
        done = run("watch", *options, "--on-bad-signature", "raise")
        assert done.returncode == 1
        assert "stork-codec: signed by another key" in done.stderr
        simulator.faults.wrong_key = None
        simulator.faults.garbage_text = True
        done = run("watch", *options, "--seconds", "1.2")
        assert re.search(r" bad [1-9]", done.stdout)
        assert "warning bad_message: " in done.stderr


def test_in_a_terminal() -> None:
    terminal = Terminal("watch", "--assets", "1-40", "--channel", "10ms")
    terminal.read_until("BTCUSD")
    terminal.read_until("and 25 more")
    terminal.read_until("state: connected")
    terminal.resize(120, 50)
    terminal.read_until("rate/s  verified")
    terminal.signal(signal.SIGINT)
    assert terminal.status() == 0
    screen, _, after = terminal.text.rpartition(LEAVES_SCREEN)
    assert "\x1b[?1049h" in screen
    assert re.search(r"\d+ messages, \d[\d,]* updates in [\d.]+ s, all verified", after)
    assert "BTCUSD" in after and "gaps 0" in after


@pytest.mark.parametrize("size", [(1, 1), (20, 3), (40, 8)])
def test_in_a_small_terminal(size: tuple[int, int]) -> None:
    terminal = Terminal("watch", "--seconds", "1.5", columns=size[0], rows=size[1])
    assert terminal.status() == 0
    assert "Traceback" not in terminal.text


def test_the_log_leaves_the_table_alone() -> None:
    with served() as simulator:
        simulator.faults.garbage_text = 3
        options = (simulator.url, "--assets", "1", "--log-level", "debug")
        terminal = Terminal("watch", *options, "--seconds", "2")
        assert terminal.status() == 0
    assert "warning bad_message" not in terminal.text
    assert "bad_message" in terminal.text and TOKEN not in terminal.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_well(number: int) -> None:
    with served() as simulator:
        with started("watch", simulator.url, "--assets", "1") as process:
            until(lambda: simulator.connections and simulator.connections[0].n_sent)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert out.splitlines()[-1].startswith(tuple("0123456789"))
        until(lambda: not simulator.connections)


def test_a_closed_pipe_ends_it_quietly() -> None:
    with started("watch", "--every", "0.1") as process:
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 141


def test_reconnections_are_seen() -> None:
    with served() as simulator:
        simulator.faults.cut = 5
        with started("watch", simulator.url, "--assets", "1") as process:
            until(lambda: len(simulator.history) >= 2 and simulator.history[1].n_sent)
            process.terminate()
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "state: reconnecting" in out and "warning state: reconnecting" in err


def test_metrics_beside() -> None:
    with started("watch", "--metrics-port", "0") as process:
        assert process.stdout
        found = re.search(r"metrics on port (\d+)", process.stdout.readline())
        assert found
        url = f"http://127.0.0.1:{found[1]}/metrics"
        until(lambda: b"feed_messages_total 0.0" not in fetched(url))
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text: bytes = answer.read()
    assert b"stork_feed_messages_total" in text
    return text


def test_ten_thousand_assets() -> None:
    options = ("--assets", "1-10000", "--channel", "100ms", "--seconds", "3")
    done = run("watch", *options)
    assert done.returncode == 0 and re.search(r"\nand 9,9\d\d more", done.stdout)
    assert done.stdout.splitlines()[-1].endswith("all verified")


def test_nothing_that_comes_is_a_failure() -> None:
    with served() as simulator:
        simulator.faults.silence = True
        options = (simulator.url, "--assets", "1", "--signer", simulator.signer)
        done = run("watch", *options, "--seconds", "0.5")
    assert (done.returncode, done.stderr) == (1, "stork-codec: no data came\n")
    assert "verified" not in done.stdout.splitlines()[-1]


def test_tls_where_there_is_none_is_told_in_lines() -> None:
    with served() as simulator:
        url = simulator.url.replace("ws:", "wss:")
        done = run("watch", url, "--assets", "1", "--seconds", "2")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and "Logging error" not in done.stderr


def test_without_the_feeds_extra() -> None:
    code = (
        "import sys; sys.modules['picows'] = None;"
        "from codec.cli import main; sys.exit(main(['watch']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'stork-codec[feeds]'" in done.stderr
