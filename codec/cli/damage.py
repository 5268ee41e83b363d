"""What commands say of damaged input, before they go on with the rest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codec.errors import DamageError

__all__ = ["Damage"]


class Damage:
    """Says what is damaged; the torn end of an unfinished segment is not."""

    def __init__(self) -> None:
        self.is_any = False

    def report(self, error: DamageError) -> None:
        """Takes note of damage."""
        is_expected = error.is_at_end and error.path.endswith(".part")
        self.is_any |= not is_expected
        note = "unfinished, " if is_expected else ""
        print(f"stork-codec: {note}{error}", file=sys.stderr)
