"""The live commands on simulated streams of Shuriken."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands import CONTROL, Terminal, run, served, started

from codec.cli import main
from codec.cli.stream_view import StreamView, summary
from codec.feeds.shuriken import ShurikenEvent, read_payload
from codec.recording import read_frames
from codec.simulator import ShurikenSimulator

KEY = "agent-key-of-tests"
MINT, OTHER = "So11111111111111111111111111111111111111112", "Mint2"
SWAPS = ("--stream", "svm.token.swaps", "--filter", f"tokenAddress={MINT}")
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHURIKEN_AGENT_KEY", KEY)


def shuriken(**options: Any) -> Any:
    return served(ShurikenSimulator, **({"token": KEY} | options))


def test_the_catalogue() -> None:
    done = run("streams")
    assert (done.returncode, done.stderr) == (0, "")
    title, *rows = done.stdout.splitlines()
    assert title.split() == ["stream", "visibility", "filter"] and len(rows) == 21
    cells = {row.split()[0]: row.split()[1:] for row in rows}
    assert cells["evm.token.swaps"] == ["public", "chainId", "tokenAddress"]
    assert cells["automation.updates"] == ["presence", "-"]


def test_the_catalogue_in_the_other_spelling_and_a_key_that_is_refused() -> None:
    with shuriken(dotted=True) as simulator:
        done = run("streams", simulator.base_url)
        assert done.returncode == 0 and "\nalpha.signalFeed.global" in done.stdout
        simulator.set_token("another")
        done = run("streams", simulator.base_url)
        assert done.returncode == 1 and "401" in done.stderr
        assert KEY not in done.stdout + done.stderr


def test_two_tokens_of_one_stream() -> None:
    with shuriken(rates={"svm.token.swaps": 50}) as simulator:
        done = run(
            *("watch", "--shuriken", simulator.base_url, *SWAPS, "--seconds", "1.5"),
            *("--stream", f"svm.token.swaps?tokenAddress={OTHER}"),
        )
    assert (done.returncode, done.stderr) == (0, "")
    first, *_, last = done.stdout.splitlines()
    assert first == f"{simulator.base_url}  2 streams"
    rows = [x for x in done.stdout.splitlines() if x.startswith("svm.token.swaps ")]
    counts = [int(row.split()[2].replace(",", "")) for row in rows]
    assert len(counts) == 2 and min(counts) > 5
    # What came while the feed was closed is counted, and shown no more.
    assert sum(counts) <= int(last.split()[0]) and last.endswith(" events in 1.5 s")


def test_without_a_url_and_in_a_terminal(tmp_path: Path) -> None:
    done = run("watch", "--shuriken", "--seconds", "1")
    assert done.returncode == 0 and ", simulated  3 streams" in done.stdout
    with shuriken() as simulator:
        config = tmp_path / "c.toml"
        stream = f"svm.token.swaps?tokenAddress={MINT}"
        config.write_text(
            f'shuriken = true\nurl = "{simulator.base_url}"\nstream = "{stream}"\n'
        )
        terminal = Terminal("watch", "--config", config, "--seconds", "2")
        terminal.read_until("svm.token.swaps")
        terminal.read_until(" USD at ")
        assert terminal.status() == 0
    assert "reconnects 0" in CONTROL.sub("", terminal.text)
    assert KEY not in terminal.text


def test_the_key_comes_from_a_file_too(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("SHURIKEN_AGENT_KEY")
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    with shuriken() as simulator:
        argv = ("watch", "--shuriken", simulator.base_url, *SWAPS, "--seconds", "1")
        assert run(*argv, "--token-file", file).returncode == 0
        done = run(*argv, token="")
    assert done.returncode == 2 and "SHURIKEN_AGENT_KEY" in done.stderr


def test_a_key_that_is_refused_is_said_in_a_line() -> None:
    """However many streams hear of it."""
    with shuriken(token="another") as simulator:
        asked = (*SWAPS, "--stream", "alpha.signalFeedGlobal")
        done = run("watch", "--shuriken", simulator.base_url, *asked, "--seconds", "5")
    assert done.returncode == 1 and "401" in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) < 4
    assert KEY not in done.stdout + done.stderr


def test_a_stream_that_is_named_twice_is_shown_once() -> None:
    with shuriken(rates={"svm.token.swaps": 50}) as simulator:
        done = run(
            *("watch", "--shuriken", simulator.base_url, *SWAPS, *SWAPS),
            *("--seconds", "1.5"),
        )
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].endswith("  1 stream")
    (row,) = [x for x in done.stdout.splitlines() if x.startswith("svm.token.swaps ")]
    assert f"{int(row.split()[2]):,} events in 1.5 s" in done.stdout


def test_one_stream_that_is_refused_leaves_the_others() -> None:
    with shuriken() as simulator:
        done = run(
            *("watch", "--shuriken", simulator.base_url, "--seconds", "1.5", *SWAPS),
            *("--stream", "no.such.stream"),
        )
    assert done.returncode == 0 and "no.such.stream" in done.stdout
    assert "STREAM_NOT_FOUND" in done.stdout + done.stderr


def test_outages_are_seen() -> None:
    with shuriken(rates={"svm.token.swaps": 100}) as simulator:
        simulator.faults.close = (20, 4200)
        done = run(
            *("watch", "--shuriken", simulator.base_url, *SWAPS, "--seconds", "2")
        )
    assert done.returncode == 0
    assert "outages 0" not in done.stdout.splitlines()[-1]
    assert any(
        "  outages 1" in line or "  outages 2" in line
        for line in done.stdout.splitlines()
    )


def test_recorded_and_given_back(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    asked = (*SWAPS, "--stream", "alpha.signalFeedGlobal")
    with shuriken(rate=100) as simulator:
        done = run(
            *("record", "--shuriken", simulator.base_url, *asked, "-o", folder),
            *("--messages", "60"),
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name[:9] for path in folder.glob("[!.]*")} == {"shuriken-"}
    frames = [frame for _, frame in read_frames(folder)]
    assert KEY.encode() not in b"".join(frames)
    session = json.loads(frames[0])
    assert session["event"] == "stork-codec:session"
    subscriptions = session["data"]["subscriptions"]
    assert [each["stream"] for each in subscriptions] == [
        "svm.token.swaps",
        "alpha.signalFeedGlobal",
    ]
    assert subscriptions[0]["filter"] == {"tokenAddress": MINT}
    channel = subscriptions[0]["channel"]
    swaps = [f for f in frames if f'"channel":"{channel}","data"'.encode() in f]
    assert len(swaps) > 10

    again = tmp_path / "again"
    argv = ("replay", folder, "--serve", 0, "--shuriken", "--fast")
    with started(*argv) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(": ")[0]
        done = run("record", "--shuriken", url, *SWAPS, "-o", again, "--seconds", "3")
        assert process.wait(60) == 0
    assert done.returncode == 0
    served_again = [f for _, f in read_frames(again) if channel.encode() in f]
    assert [f for f in served_again if f in swaps] == swaps


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["watch", "--shuriken", "http://a"], "--stream svm.token.swaps"),
        (["watch", "--shuriken", "--aggregator"], "one at a time"),
        (["watch", "--shuriken", "--symbol", "A"], "--symbol has no meaning with"),
        (["watch", "--stream", "a"], "--stream has no meaning without --shuriken"),
        (["watch", "--shuriken", "--filter", "a=b"], "the --stream before it"),
        (["watch", "--shuriken", "--stream", "a", "--filter", "b"], "NAME=VALUE"),
        (["watch", "--shuriken", "--stream", "a?b"], "ID?name=value"),
        (["watch", "--shuriken", "--metrics-port", "0"], "--metrics-port has no"),
        (["watch", "--shuriken", "ftp://a", "--stream", "a"], "http"),
        (["watch", "--shuriken", "--stream", "a?b=" + "c" * 1001], "printable text"),
        (["replay", "x", "--shuriken"], "--serve"),
        (["replay", "x", "--shuriken", "--aggregator", "--serve", "0"], "one at a"),
        (["streams", "--token", KEY], "never as an argument"),
    ],
)
def test_wrong_usage(argv: list[str], words: str, capsys: Capture) -> None:
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert words in err and KEY not in err


def test_what_events_say_in_a_line() -> None:
    def event(stream: str, text: str) -> ShurikenEvent:
        data = read_payload(stream, text)
        return ShurikenEvent(stream=stream, data=data, raw=text)

    assert summary(event("x.y", '{"a": "\\u001b[2J"}')) == '{"a": "\\u001b[2J"}'
    assert "\x1b" not in summary(event("x.y", '{"a": "\x1b[2J"}'))
    nothing = SimpleNamespace(is_buy=True, size_usd=Decimal(0), price_usd=Decimal(1))
    dust = SimpleNamespace(data=nothing, problem=None)
    assert summary(dust) == "buy  0 USD at 1 USD"  # type: ignore[arg-type]
    assert "not a SvmSwap" in summary(event("svm.token.swaps", '{"slot": "x"}'))


def test_the_newest_of_many() -> None:
    class Feed:
        state = "connected"
        events: tuple[object, ...] = ()

        class stats:  # noqa: N801
            bad = outages = dropped = reconnects = queued = messages = 0

    streams = [("s", {"a": "1"}), ("s", {"a": "2"})]
    view = StreamView(Feed(), streams, "http://x")  # type: ignore[arg-type]
    for i in range(1000):
        data = {"n": i}
        view.take(
            ShurikenEvent(
                stream="s",
                filter={"a": str(1 + i % 2)},
                data=data,
                raw=json.dumps(data),
                receive_ns=i * 10**9,
            )
        )
    view.sample()
    lines = ["".join(t for t, _ in x) for x in view.lines(60, 14, 10**12, hint="")]
    assert 10 < len(lines) <= 14 and max(map(len, lines)) <= 60
    assert lines[4].split()[:3] == ["s", "a=1", "500"]
    assert lines[-1].endswith('{"n": 999}')
