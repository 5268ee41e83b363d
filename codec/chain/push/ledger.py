"""What became of a pusher's pushes: the last ones, and how many of each kind."""

from __future__ import annotations

from collections import Counter, deque

from codec.chain.push.state import Push, PushState

__all__ = ["GOOD", "Ledger"]

GOOD = (PushState.CONFIRMED, PushState.DRY)
_N_KEPT = 100


class Ledger:
    """The pushes of a pusher.

    out: the one on its way. counts: of those that have ended, by state. n_by_asset: how
    many good ones an asset asked for.
    """

    def __init__(self) -> None:
        self.out: Push | None = None
        self.counts: Counter[PushState] = Counter()
        self.n_by_asset: Counter[int] = Counter()
        self._ended: deque[Push] = deque(maxlen=_N_KEPT)

    @property
    def last(self) -> tuple[Push, ...]:
        """The last hundred, oldest first, and the one that is out."""
        return (*self._ended, *([self.out] if self.out else []))

    def end(self, push: Push) -> None:
        """What was out has ended. Of attempts that were not sent, one after the other
        and for the same reason, only the last is kept."""
        self.out = None
        self.counts[push.state] += 1
        if push.state in GOOD:
            self.n_by_asset.update(list(push.reasons))
        if self._ended and not push.hashes and push.state not in GOOD:
            before = self._ended[-1]
            if before.state is push.state and not before.hashes:
                self._ended.pop()
        self._ended.append(push)
