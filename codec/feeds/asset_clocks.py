"""The newest timestamp of every asset, and what does not agree with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AssetClocks", "Notice"]

_AHEAD_NS = 1_000_000_000


class Notice(NamedTuple):
    """A timestamp that is odd. row: which; asset: its number; amount_ns: by how much
    it is before the newest of its asset or, `is_future`, after its own arrival."""

    row: int
    asset: int
    amount_ns: int
    is_future: bool


class AssetClocks:
    """Compares the timestamps of each asset, in the order in which they come.

    What is from the future, more than a second after its arrival, is not compared, and
    makes nothing after it old.
    """

    def __init__(self) -> None:
        self._newest_ns: dict[int, int] = {}

    def observe(
        self,
        assets: Iterable[int],
        timestamps_ns: Iterable[int],
        received_ns: Iterable[int],
    ) -> list[Notice]:
        """What is odd about these; usually nothing."""
        newest = self._newest_ns
        notices = []
        rows = zip(assets, timestamps_ns, received_ns, strict=True)
        for row, (asset, time_ns, now_ns) in enumerate(rows):
            before_ns = newest.get(asset, 0)
            if now_ns and time_ns > now_ns + _AHEAD_NS:
                notices.append(Notice(row, asset, time_ns - now_ns, True))
            elif time_ns < before_ns:
                notices.append(Notice(row, asset, before_ns - time_ns, False))
            else:
                newest[asset] = time_ns
        return notices
