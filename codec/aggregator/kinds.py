"""What an aggregate is named after: its trigger, and the kind of its signatures."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["SignatureType", "Trigger"]


class Trigger(IntEnum):
    """Why a price was sent. `str()` gives the lower-case name."""

    UNSPECIFIED = 0
    CLOCK = 1
    DELTA = 2
    OTHER = 255

    def __str__(self) -> str:
        return self.name.lower()


class SignatureType(IntEnum):
    """How a price is signed. `str()` gives the lower-case name."""

    EVM = 1
    STARK = 2
    OTHER = 255

    def __str__(self) -> str:
        return self.name.lower()
