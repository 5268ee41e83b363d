"""What can be noticed in a stream of messages: the kinds of a Monitor's notices."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["NoticeKind"]


class NoticeKind(IntEnum):
    """What is odd about a message in its stream (docs/feeds.md, "Checks").

    `str()` gives the lower-case name.
    """

    GAP = 1
    BACKWARDS = 2
    FUTURE = 3
    TAXONOMY_CHANGE = 4
    DUPLICATE_ASSET = 5

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def description(self) -> str:
        """One sentence for people."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    NoticeKind.GAP: "ticks are missing before this message (amount: how many)",
    NoticeKind.BACKWARDS: (
        "the message is older than the one before it (amount: by how many ns)"
    ),
    NoticeKind.FUTURE: (
        "the message was received before it was sent (amount: by how many ns)"
    ),
    NoticeKind.TAXONOMY_CHANGE: (
        "the message has another taxonomy than expected (amount: the one before)"
    ),
    NoticeKind.DUPLICATE_ASSET: (
        "an asset stands in the message more than once (amount: how often)"
    ),
}
