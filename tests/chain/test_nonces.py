"""Which nonces are handed out, and in which order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codec.chain.nonces import Nonces


def test_one_that_came_back_is_the_next() -> None:
    nonces = Nonces(5)
    assert [nonces.take() for _ in range(3)] == [5, 6, 7]
    nonces.give_back(6)
    assert nonces.hole() == 6
    assert nonces.next == 6
    assert [nonces.take(), nonces.take()] == [6, 8]
    assert nonces.hole() is None


def test_what_nobody_waits_for_is_no_hole() -> None:
    nonces = Nonces(5)
    for _ in range(3):
        nonces.take()
    nonces.give_back(7)
    assert nonces.hole() is None
    nonces.give_back(6)
    assert nonces.hole() is None
    nonces.finish(5)
    assert nonces.take() == 6


def test_what_others_used_is_handed_out_no_more() -> None:
    nonces = Nonces(5)
    for _ in range(3):
        nonces.take()
    nonces.give_back(5)
    assert nonces.learn(6)
    assert nonces.hole() is None
    assert not nonces.learn(7)  # 6 is out, and was ours
    assert nonces.take() == 8
    assert nonces.learn(20)
    assert nonces.take() == 20


def test_a_new_beginning_may_be_lower() -> None:
    nonces = Nonces(5)
    nonces.finish(nonces.take())
    nonces.restart(2)
    assert nonces.take() == 2


def test_what_a_reorganisation_took_away_is_taken_back() -> None:
    nonces = Nonces(5)
    assert nonces.n_below(3) == 0  # nobody waits for it
    assert nonces.learn(7)
    assert nonces.take() == 7
    assert nonces.n_below(5) == 2
    nonces.reclaim(5)
    assert [nonces.hole(), nonces.take(), nonces.take()] == [5, 5, 6]
    assert nonces.n_below(5) == 0
    assert nonces.take() == 8


@given(st.lists(st.tuples(st.sampled_from("tgf"), st.integers(0, 9))))
def test_each_is_out_once_and_none_is_left_out(steps: list[tuple[str, int]]) -> None:
    nonces = Nonces(3)
    used: set[int] = set()
    for step, pick in steps:
        out = sorted(nonces.out)
        if step == "t":
            taken = nonces.take()
            assert taken not in out and taken not in used
        elif out and step == "g":
            nonces.give_back(out[pick % len(out)])
        elif out:
            used.add(out[pick % len(out)])
            nonces.finish(out[pick % len(out)])
        known = used | nonces.out
        hole = nonces.hole()
        gaps = [n for n in range(3, max(nonces.out, default=3)) if n not in known]
        assert hole == (gaps[0] if gaps else None)
