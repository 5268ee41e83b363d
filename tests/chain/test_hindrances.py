"""What is in the way: told once, and told again when it is over."""

from __future__ import annotations

from codec.chain.push.hindrances import Hindrance, Hindrances, Obstacle

LOW, AWAY = Hindrance.BALANCE_LOW, Hindrance.NODE_AWAY


def test_each_is_told_when_it_comes_and_when_it_goes() -> None:
    told: list[tuple[Hindrance, float | None]] = []
    hindrances = Hindrances(lambda it, lasted_s: told.append((it.kind, lasted_s)))
    hindrances.set("chain", {LOW: "1 wei"}, 10.0)
    hindrances.set("chain", {LOW: "2 wei", AWAY: "no answer"}, 11.0)
    assert told == [(LOW, None), (AWAY, None)]
    assert hindrances.now == (
        Obstacle(LOW, "2 wei", 10.0),
        Obstacle(AWAY, "no answer", 11.0),
    )
    hindrances.set("chain", {AWAY: "no answer"}, 13.0)
    assert told[2:] == [(LOW, 3.0)]
    hindrances.set("chain", {}, 15.0)
    assert told[3:] == [(AWAY, 4.0)]
    assert not hindrances and hindrances.now == ()


def test_what_two_have_found_goes_when_both_find_it_no_more() -> None:
    told: list[float | None] = []
    hindrances = Hindrances(lambda _, lasted_s: told.append(lasted_s))
    hindrances.set("chain", {LOW: "by one"}, 1.0)
    hindrances.set("sending", {LOW: "by the other"}, 2.0)
    hindrances.set("chain", {}, 3.0)
    assert LOW in hindrances and hindrances.found_by("sending") == (LOW,)
    assert hindrances.found_by("chain") == hindrances.found_by("nobody") == ()
    hindrances.set("sending", {}, 4.0)
    assert LOW not in hindrances and told == [None, 3.0]
