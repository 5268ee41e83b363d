"""What is done next for a nonce, step by step."""

from __future__ import annotations

import pytest

from codec.chain.fees import Fees
from codec.chain.sending import SendVerdict
from codec.chain.siblings import Action, End, Facts, Head, Limits, Receipt, Sibling
from codec.chain.tracking import Track

NONCE = 5
BEFORE = Head(10, "0xa", NONCE, NONCE)
AFTER = Head(11, "0xb", NONCE + 1, NONCE + 1)


def sibling(number: int = 1) -> Sibling:
    return Sibling(f"0x{number}", b"raw", Fees(100 + number, 1 + number))


def receipt(number: int = 1, *, block: int = 11, is_good: bool = True) -> Receipt:
    return Receipt(f"0x{number}", block, f"0xb{block}", is_good, 21_000, 7)


def opened(**limits: float) -> Track:
    """With one transaction that is to be sent."""
    track = Track(NONCE, Limits(**limits), 0.0)  # type: ignore[arg-type]
    track.add(sibling(), 0.0)
    assert track.next(BEFORE, 0.0) is Action.SEND
    track.sending()
    return track


def test_a_doubt_is_looked_up_before_anything_is_sent_again() -> None:
    track = opened()
    track.sent(track.newest, SendVerdict.UNCLEAR, "cut", 0.0)
    assert track.next(BEFORE, 0.0) is Action.LOOK
    track.looked(None, BEFORE, 0.0)
    assert track.next(BEFORE, 0.1) is Action.WAIT
    assert track.next(BEFORE, track.due(0.1)) is Action.LOOK
    track.looked(Facts(), BEFORE, 1.0)
    assert track.next(BEFORE, track.due(1.0)) is Action.SEND
    assert track.to_send is track.siblings[0]


@pytest.mark.parametrize(
    "verdict", [SendVerdict.INSUFFICIENT_FUNDS, SendVerdict.DEFINITELY_REFUSED]
)
def test_a_refusal_gives_the_nonce_back_only_if_nobody_may_have_it(
    verdict: SendVerdict,
) -> None:
    track = opened()
    track.sent(track.newest, verdict, "no", 0.0)
    assert track.next(BEFORE, 0.0) is Action.STOP
    assert track.end is End.REFUSED and track.reason == "no"

    track = opened()
    track.sent(track.newest, SendVerdict.UNCLEAR, "cut", 0.0)
    track.looked(Facts(), BEFORE, 0.0)
    track.sending()
    track.sent(track.newest, verdict, "no", 1.0)
    assert track.end is None
    assert not track.refuse("cancelled")


def test_a_request_that_nobody_waits_for_may_have_arrived() -> None:
    track = opened()
    assert not track.refuse("cancelled")
    track.abandoned()
    assert track.may_be_out and not track.refuse("cancelled")


def test_what_was_never_sent_is_given_back_at_the_deadline() -> None:
    track = opened(deadline_s=10.0)
    track.sent(track.newest, SendVerdict.NOT_SENT, "", 0.0)
    assert track.next(BEFORE, 11.0) is Action.STOP
    assert track.end is End.REFUSED


def test_what_was_sent_is_followed_after_the_deadline() -> None:
    track = opened(deadline_s=10.0)
    track.sent(track.newest, SendVerdict.TAKEN, "", 0.0)
    track.next(BEFORE, 11.0)
    assert track.is_overdue and track.end is None
    track.looked(Facts((receipt(),)), AFTER, 12.0)
    assert track.end is End.CONFIRMED


@pytest.mark.parametrize(
    ("is_good", "end"), [(True, End.CONFIRMED), (False, End.REVERTED)]
)
@pytest.mark.parametrize("mined", [1, 2])
def test_any_sibling_may_be_the_one_that_is_mined(
    mined: int, is_good: bool, end: End
) -> None:
    track = opened()
    track.sent(track.newest, SendVerdict.TAKEN, "", 0.0)
    assert track.next(BEFORE, 1.0) is Action.WAIT
    track.looked(Facts(known=frozenset({"0x1"})), BEFORE, 50.0)
    assert track.next(BEFORE, 65.0) is Action.LOOK
    track.looked(Facts(known=frozenset({"0x1"})), BEFORE, 65.0)
    assert track.next(BEFORE, 65.0) is Action.RAISE
    track.add(sibling(2), 65.0)
    track.sending()
    track.sent(track.newest, SendVerdict.TAKEN, "", 65.0)
    assert track.next(AFTER, 66.0) is Action.LOOK
    track.looked(Facts((receipt(mined, is_good=is_good),)), AFTER, 66.0)
    assert track.end is end
    assert track.mined is track.siblings[mined - 1]


def test_a_used_nonce_without_a_receipt_is_lost_after_six_looks() -> None:
    track, now = opened(), 0.0
    track.sent(track.newest, SendVerdict.NONCE_TOO_LOW, "low", now)
    for _ in range(6):
        assert track.end is None
        assert track.next(AFTER, now) is Action.LOOK
        track.looked(Facts(), AFTER, now)
        now = track.due(now)
    assert track.end is End.LOST


def test_what_a_node_knows_is_not_lost_for_want_of_a_receipt() -> None:
    track, now = opened(), 0.0
    track.sent(track.newest, SendVerdict.TAKEN, "", now)
    for _ in range(50):
        track.looked(Facts(known=frozenset({"0x1"})), AFTER, now)
        now = track.due(now)
    assert track.end is None


def test_a_strangers_block_is_not_believed_before_it_is_confirmed() -> None:
    track = opened(confirmations=3)
    track.sent(track.newest, SendVerdict.TAKEN, "", 0.0)
    young = Head(11, "0xb", NONCE + 1, NONCE)
    for second in range(10):
        track.looked(Facts(), young, float(second))
    assert track.end is None


def test_a_block_that_is_no_more_has_its_transaction_sent_again() -> None:
    track = opened(confirmations=3)
    track.sent(track.newest, SendVerdict.TAKEN, "", 0.0)
    track.looked(Facts((receipt(),)), AFTER, 1.0)
    assert track.receipt is not None and track.end is None
    track.looked(Facts(), BEFORE, 2.0)
    assert [kind for kind, _ in track.notes] == ["reorganised"]
    assert track.next(BEFORE, 2.0) is Action.SEND
    assert track.to_send.hash == "0x1"


def test_a_low_offer_is_raised_at_once_and_not_for_ever() -> None:
    track = opened()
    n = 1
    while track.end is None:
        track.sent(track.newest, SendVerdict.UNDERPRICED, "more", 0.0)
        if track.next(BEFORE, 0.0) is Action.RAISE:
            n += 1
            track.add(sibling(n), 0.0)
            track.sending()
    assert track.end is End.REFUSED and n == 9


def test_only_the_next_nonce_is_raised_while_the_base_fee_is_below_the_offer() -> None:
    track = opened()
    track.sent(track.newest, SendVerdict.TAKEN, "", 0.0)
    known = Facts(known=frozenset({"0x1"}))
    later = Head(10, "0xa", NONCE - 1, NONCE - 1, 50)
    track.looked(known, later, 100.0)
    assert track.next(later, 100.0) is Action.WAIT
    dear = Head(10, "0xa", NONCE - 1, NONCE - 1, 102)
    assert track.next(dear, 100.0) is Action.RAISE


def test_a_payload_that_nobody_takes_is_given_up_for_those_behind_it() -> None:
    track = opened(deadline_s=10.0)
    track.sent(track.newest, SendVerdict.UNCLEAR, "who knows", 0.0)
    track.looked(Facts(), BEFORE, 0.0)
    track.next(BEFORE, 1.0)
    track.sending()
    track.sent(track.newest, SendVerdict.UNCLEAR, "who knows", 100.0)
    track.looked(Facts(), BEFORE, 100.0)
    assert track.next(BEFORE, 100.3) is Action.WAIT  # since when it is the next
    track.sending()
    track.sent(track.newest, SendVerdict.UNCLEAR, "who knows", 161.0)
    track.looked(Facts(), BEFORE, 161.0)
    assert track.next(BEFORE, 161.0) is Action.FREE
    free = sibling(2)
    free.has_payload = False
    track.add(free, 162.0)
    track.looked(Facts((receipt(2),)), AFTER, 163.0)
    assert track.end is End.LOST
