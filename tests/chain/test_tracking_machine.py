"""Whatever nodes do: a payload has one nonce, no hole stays, all comes to an end."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pool import OFFER, Desk

from codec.chain.sending import SendVerdict
from codec.chain.siblings import Action, Facts, Limits, Sibling
from codec.chain.tracking import Track

# What a node says. UNCLEAR: it took the transaction, and its answer was lost. All but
# that and None, the pool's own verdict: it took nothing.
HOW = st.sampled_from(
    [
        None,
        None,
        None,
        SendVerdict.UNCLEAR,
        SendVerdict.NOT_SENT,
        SendVerdict.INSUFFICIENT_FUNDS,
        SendVerdict.UNDERPRICED,
        SendVerdict.REPLACEMENT_UNDERPRICED,
    ]
)
PICKS = st.integers(0, 3)


class Sending(RuleBasedStateMachine):
    """Payloads, an account and a node that loses, refuses, drops and reorganises."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.n = 0

    @rule(n=st.integers(1, 3))
    def open(self, n: int) -> None:
        for _ in range(n):
            self.desk.open(self.n)
            self.n += 1

    @rule(steps=st.lists(st.tuples(PICKS, HOW), min_size=1, max_size=8))
    def act(self, steps: list[tuple[int, SendVerdict | None]]) -> None:
        """Each: of which nonce, and what the node answers; None: as the pool would."""
        for pick, verdict in steps:
            tracks = list(self.desk.tracks)
            if tracks:
                arrives = verdict in (None, SendVerdict.UNCLEAR)
                track = tracks[pick % len(tracks)]
                self.desk.step(track, verdict, arrives=arrives)

    @rule(pick=PICKS)
    def act_and_nothing_arrives(self, pick: int) -> None:
        tracks = list(self.desk.tracks)
        if tracks:
            self.desk.step(tracks[pick % len(tracks)], None, arrives=False)

    @rule(steps=st.integers(1, 4))
    def go_on(self, steps: int) -> None:
        """All is well for a while."""
        self.desk.now += 6.0
        self.desk.refresh()
        for track in list(self.desk.tracks):
            for _ in range(steps):
                if track in self.desk.tracks:
                    self.desk.step(track, None, arrives=True)

    @rule(seconds=st.sampled_from([0.3, 6.0, 70.0, 650.0]))
    def wait(self, seconds: float) -> None:
        self.desk.now += seconds

    @rule()
    def see_the_head(self) -> None:
        self.desk.refresh()

    @rule()
    def mend(self) -> None:
        self.desk.mend()

    @rule(most=st.integers(1, 3))
    def mine(self, most: int) -> None:
        self.desk.pool.mine(most)

    @rule()
    def a_stranger_is_first(self) -> None:
        self.desk.pool.mine_stranger()

    @rule()
    def forget_the_pool(self) -> None:
        self.desk.pool.waiting.clear()

    @rule(are_kept=st.booleans())
    def reorganise(self, are_kept: bool) -> None:
        self.desk.pool.reorganise(are_kept=are_kept)

    @invariant()
    def a_payload_that_somebody_has_has_one_nonce(self) -> None:
        pairs = {(seen.payload, seen.nonce) for seen in self.desk.pool.seen}
        payloads = Counter(payload for payload, _ in pairs if payload is not None)
        assert not payloads or max(payloads.values()) == 1
        nonces = Counter(nonce for payload, nonce in pairs if payload is not None)
        assert not nonces or max(nonces.values()) == 1

    @invariant()
    def no_more_than_one_outcome(self) -> None:
        assert all(len(ended) <= 1 for ended in self.desk.outcomes.values())

    def teardown(self) -> None:
        """From here on the node does as it should, and time goes by."""
        desk = self.desk
        for _ in range(1500):
            desk.mend()
            for track in list(desk.tracks):
                for _ in range(10):
                    if track not in desk.tracks:
                        break
                    if not desk.step(track, None, arrives=True):
                        break
            desk.pool.mine()
            desk.refresh()
            desk.now += 10
            if not desk.tracks and desk.nonces.hole() is None:
                break
        assert not desk.tracks, "a nonce is out for ever"
        mined = Counter(transaction.payload for transaction in desk.pool.mined)
        for payload, ended in desk.outcomes.items():
            assert len(ended) == 1
            uses = {"confirmed": {1}, "unresolved": {0, 1}}.get(ended[0], {0})
            assert mined[payload] in uses, (payload, ended)


Sending.TestCase.settings = settings(
    max_examples=1000, stateful_step_count=40, deadline=None
)
TestSending = Sending.TestCase


def test_a_strangers_transaction_that_is_thrown_out_leaves_no_hole() -> None:
    machine = Sending()
    machine.a_stranger_is_first()
    machine.see_the_head()
    machine.reorganise(are_kept=False)
    machine.open(1)
    machine.teardown()


def test_a_replacement_that_no_node_answers_to_is_sent_ever_more_seldom() -> None:
    """Though the nodes know the transaction that it is to replace."""
    track, now, n_sent = Track(0, Limits(), 0.0), 0.0, 0
    for name in ("first", "second"):
        track.add(Sibling(name, b"", OFFER), now)
        track.sending()
        verdict = SendVerdict.TAKEN if name == "first" else SendVerdict.UNCLEAR
        track.sent(track.to_send, verdict, "", now)
    while now < 50.0:
        action = track.next(None, now)
        if action is Action.LOOK:
            track.looked(Facts(known=frozenset({"first"})), None, now)
        elif action is Action.SEND:
            n_sent += 1
            track.sending()
            track.sent(track.to_send, SendVerdict.UNCLEAR, "internal error", now)
        else:
            now = track.due(now)
    assert 3 <= n_sent <= 12
