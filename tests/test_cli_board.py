"""The arrays behind the live table, against a plain dictionary; rates; the view."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec.cli.board import Board, Row
from codec.cli.watch_view import View, ages_text
from codec.cli.window import Window
from codec.feeds import EventKind, Events, State, Stats
from codec.monitor import age_bounds

KEY = b"\x01" * 32
SIGNER = codec.recover(
    codec.decode(
        codec.to_frame(codec.encode([], [], timestamp_ns=1, taxonomy_id=1, key=KEY))
    )
)["address"][0].tobytes()
INT128 = st.integers(-(2**127), 2**127 - 1)
MESSAGES = st.lists(st.lists(st.tuples(st.integers(0, 4), INT128), max_size=6))
NOW = 10**18


def batch_of(messages: Any, start: int = 0, key: bytes = KEY) -> codec.Batch:
    payloads = [
        codec.encode(
            [i for i, _ in rows],
            [value for _, value in rows],
            timestamp_ns=start + n,
            taxonomy_id=1,
            key=key,
        )
        for n, rows in enumerate(messages, 1)
    ]
    return codec.decode_payloads(payloads, signers=SIGNER, on_bad_signature="mark")


@given(st.lists(MESSAGES, max_size=4))
def test_rows_are_those_of_a_dictionary(batches: Any) -> None:
    board, seen = Board(), {i: Row(i, None, None, 0, 0, None) for i in range(5)}
    n = 0
    for messages in batches:
        batch = batch_of(messages, n)
        board.add(batch)
        for rows in messages:
            n += 1
            for i, value in rows:
                old = seen[i]
                seen[i] = Row(i, value, old.value, n, old.n_updates + 1, True)
    assert board.rows(range(5)) == list(seen.values())
    assert board.n_verified == n and board.n_unverified == 0
    assert board.counts[:5].tolist() == [row.n_updates for row in seen.values()]


def test_signatures_that_are_bad_and_not_checked() -> None:
    board = Board()
    board.add(batch_of([[(1, 5)], [(2, 5)]]))
    board.add(batch_of([[(2, 6)]], key=b"\x02" * 32))
    board.add(codec.decode('{"type":"unsigned","tax":1,"ts":5,"a":[{"id":3,"v":"7"}]}'))
    assert [row.verified for row in board.rows([1, 2, 3, 4])] == [
        True,
        False,
        None,
        None,
    ]
    assert (board.n_verified, board.n_unverified) == (2, 1)


def test_a_window_of_five_seconds() -> None:
    window, counts = Window(), np.zeros(1 << 16, np.uint64)
    ages = np.zeros(len(age_bounds()), np.uint64)
    window.add(0.0, 0, 0, ages, counts)
    assert window.ages_s is None and window.messages_per_s == 0
    for step in range(1, 101):  # 10 s of ten messages a second, then silence
        counts, ages = counts.copy(), ages.copy()
        counts[7] += np.uint64(2)
        ages[300 if step <= 50 else 400] += np.uint64(1)
        window.add(step / 10, step, 2 * step, ages, counts)
    assert window.messages_per_s == pytest.approx(10)
    assert window.updates_per_s == pytest.approx(20)
    assert window.rates([7, 8]) == pytest.approx([20, 0])
    bounds_s = age_bounds() / 1e9
    assert window.ages_s is not None and window.ages_s[2] == bounds_s[400]
    assert window.ages_s[0] == bounds_s[400]  # the earlier ones are forgotten
    for step in range(101, 170):
        window.add(step / 10, 100, 200, ages, counts)
    assert window.ages_s is None and window.messages_per_s == 0


def view_of(board: Board, ids: Any, names: Any = (), n_events: int = 3) -> View:
    events = Events(now_ns=lambda: NOW)
    for i in range(n_events):
        events.emit(EventKind.SERVER_ERROR, f"\x1b[2J\n{i}", connection=0)
    feed: Any = SimpleNamespace(
        events=events, stats=Stats(gaps=3), states=(State.CONNECTED,)
    )
    return View(
        feed, board, Window(), ids, dict(names), "ws://x  10ms", is_verified=True
    )


def text_of(view: View, width: int, height: int) -> list[str]:
    lines = view.lines(width, height, NOW, hint="Ctrl-C ends")
    return ["".join(text for text, _ in line) for line in lines]


@pytest.fixture
def board() -> Board:
    board = Board()
    rows = [(i, 10**30 + i) for i in range(1, 101)] + [(1, -(2**127)), (2, 10**30 + 3)]
    board.add(batch_of([rows], NOW - 250_000_001))
    return board


@pytest.mark.parametrize("ids", [(), (1,), range(1, 201)])
def test_it_fits_whatever_the_size(board: Board, ids: Any) -> None:
    view = view_of(board, ids, {1: "BTC\x1b[2J", 2: "x" * 99})
    for width in (1, 10, 40, 60, 79, 80, 100, 120, 200):
        for height in (1, 2, 5, 8, 24, 40, 200):
            lines = text_of(view, width, height)
            assert len(lines) <= height
            assert all(len(line) <= width for line in lines)
            assert all(line.isascii() for line in lines)
            assert all(line.isprintable() for line in lines)


def test_values_are_exact_and_changes_told(board: Board) -> None:
    wide = text_of(view_of(board, [1, 2, 3, 999]), 200, 40)
    rows = {line.split()[0]: line.split() for line in wide[5:9]}
    assert rows["1"][1] == "-170141183460469231731.687303715884105728"
    assert rows["2"][1:4] == [
        "1000000000000.000000000000000003",
        "+0.000000000000000001",
        "+0.0000",
    ]
    assert rows["2"][4:] == ["250", "ms", "0.0", "yes"]
    assert rows["3"][1:3] == ["1000000000000.000000000000000003", "-"]
    assert rows["999"][1:] == ["-", "-", "-", "-", "0.0", "-"]
    narrow = text_of(view_of(board, [1, 2, 3]), 80, 40)
    assert "1000000000000.000000000000000003" in narrow[6]
    assert wide[2].startswith("gaps 3  bad 0")
    assert wide[-1].endswith(r"server_error: \x1b[2J\x0a2 [connection 0]")


def test_more_rows_than_room(board: Board) -> None:
    lines = text_of(view_of(board, range(1, 201)), 80, 24)
    assert len(lines) == 24
    assert lines[-4].startswith("and 185 more")
    assert sum(" yes" in line for line in lines) == 15


def test_ages() -> None:
    assert ages_text(None) == "age -"
    assert ages_text((1e-4, 0.0123456, 12.0)) == "age p50 0.1 p99 12.3 p99.9 12000 ms"
