"""The demo: what it shows, and that it notices what is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from commands import Terminal

import codec
from codec import ErrorCode, reference
from codec.cli import main, stream
from codec.cli.demo import EXAMPLE
from codec.simulator import Simulator


@pytest.fixture
def small() -> stream.Stream:
    return stream.make_stream(30, 7)


def test_demo_shows_and_checks_a_million_updates(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["demo", "--seconds", "0.7"]) == 0
    out = capsys.readouterr().out
    assert "2739.412583194596209068" in out
    assert "2025-12-01 17:07:02.324772939 UTC" in out
    assert re.search(r"codec\.reference +[\d,]+ +[\d,]+ +[\d.]+ +1\n", out)
    assert re.search(r"verify, \d+ cores? +[\d,]+ +[\d,]+ *\n", out)
    words = " ".join(out.split())
    assert "checked: all 1,000,000 values" in words
    assert re.search(
        r"verify: [\d,]+ messages/s on \d+ cores?, all of 1,000 good", words
    )
    refused = ErrorCode.WRONG_SIGNER
    assert f"refused: {refused} ({refused.description})" in words
    assert "signer 0x3db9E960ECfCcb11969509FAB000c0c96DC51830" in words
    assert re.search(
        r"\nlive: \d+ messages, \d+ updates in 0\.\d s, all verified\n", out
    )
    assert re.search(r"BTCUSD +\d+\.\d{18} .* yes\n", out)


@pytest.mark.parametrize("fault", ["wrong_key", "garbage_text", "silence"])
def test_demo_fails_where_the_live_feed_is_bad(
    fault: str,
    small: stream.Stream,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def faulty(**options: Any) -> Simulator:
        simulator = Simulator(**options)
        setattr(simulator.faults, fault, True)
        return simulator

    monkeypatch.setattr("codec.simulator.fast.Simulator", faulty)
    monkeypatch.setattr(stream, "make_stream", lambda *_: small)
    assert main(["demo", "--seconds", "0.7"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"\nfailed: \d+ messages, ", out)
    assert "\nlive: " not in out


@pytest.mark.parametrize("size", [(40, 8), (80, 24)])
def test_demo_in_a_terminal(size: tuple[int, int]) -> None:
    terminal = Terminal("demo", "--seconds", "1.5", columns=size[0], rows=size[1])
    assert terminal.status() == 0
    _screen, _, after = terminal.text.rpartition("\x1b[?1049l")
    assert "value" in after
    assert "live: " in after and "all verified" in " ".join(after.split())


def test_example_is_the_documentations() -> None:
    updates = codec.decode(EXAMPLE).updates
    assert updates["asset_id"].tolist() == [1, 2, 10, 34]
    assert codec.as_int(updates).tolist() == [
        999844999999999983,
        999795007749999964,
        12695000000000000284,
        2739412583194596209068,
    ]


def test_stream_is_the_same_walk_with_another_key(small: stream.Stream) -> None:
    again = stream.make_stream(30, 7)
    assert again.values == small.values
    assert again.signer != small.signer


def test_stream_uses_the_range_of_values() -> None:
    values = stream.make_stream(200, 100).values
    assert min(map(min, values)) < 0
    assert max(map(max, values)) > 2**64


def test_stream_is_signed_by_its_signer(small: stream.Stream) -> None:
    from coincurve import PublicKey

    for payload in small.payloads:
        digest = reference.keccak256(payload[65:])
        key = PublicKey.from_signature_and_message(payload[:65], digest, hasher=None)
        public = key.format(compressed=False)[1:]
        assert "0x" + reference.keccak256(public)[-20:].hex() == small.signer.lower()


def test_check_passes(small: stream.Stream) -> None:
    assert "all 210 values" in stream.check(small)


def test_verify_passes(small: stream.Stream) -> None:
    verified = stream.verify(small)
    assert verified.good.endswith("all of 30 good")
    assert verified.rate.n_messages == 30
    assert verified.refused.startswith("wrong_signer")


def test_verify_notices_another_signer(small: stream.Stream) -> None:
    other = replace(small, signer=stream.make_stream(1, 1).signer)
    with pytest.raises(stream.MismatchError, match="the signers"):
        stream.verify(other)


def test_verify_notices_a_bad_one_that_passes(
    small: stream.Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        stream,
        "codec",
        SimpleNamespace(
            **{
                **vars(codec),
                "decode_payloads": lambda *_, **__: codec.decode_payloads([]),
            }
        ),
    )
    with pytest.raises(stream.MismatchError, match="passes"):
        stream._refusal(small)


def changed_value(small: stream.Stream) -> stream.Stream:
    values = [list(row) for row in small.values]
    values[-1][-1] += 1
    return replace(small, values=values)


def changed_payload(small: stream.Stream) -> stream.Stream:
    first = bytes([small.payloads[0][0] ^ 1]) + small.payloads[0][1:]
    return replace(small, payloads=[first, *small.payloads[1:]])


def lost_line(small: stream.Stream) -> stream.Stream:
    return replace(small, lines=small.lines[: small.lines.rindex(b"{")])


def damaged_line(small: stream.Stream) -> stream.Stream:
    return replace(small, lines=small.lines.replace(b'"p":"0x', b'"p":"0z', 1))


@pytest.mark.parametrize("change", [changed_value, changed_payload, lost_line])
def test_check_notices(change: Any, small: stream.Stream) -> None:
    with pytest.raises(stream.MismatchError):
        stream.check(change(small))


def foreign_signer(small: stream.Stream) -> stream.Stream:
    return replace(small, signer="0x" + "00" * 20)


@pytest.mark.parametrize("change", [changed_value, damaged_line, foreign_signer])
def test_demo_fails_where_something_differs(
    change: Any,
    small: stream.Stream,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(stream, "make_stream", lambda *_: change(small))
    assert main(["demo", "--seconds", "0.7"]) == 1
    out, err = capsys.readouterr()
    assert "checked: " not in out
    assert "failed: the " in out or "invalid_hex" in err


def test_check_compares_the_reference(
    small: stream.Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(lines: bytes) -> reference.Batch:
        batch = reference.decode_lines(lines)
        batch.updates["market_status"][0] = np.uint8(1)
        return batch

    fake = SimpleNamespace(decode_lines=other)
    monkeypatch.setattr(stream, "reference", fake)
    with pytest.raises(stream.MismatchError, match=r"codec\.reference's updates"):
        stream.check(small)
