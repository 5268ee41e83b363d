"""What is taken out of the lines, and what becomes of those that are bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from codec import arrow

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from codec.api import OnError
    from codec.arrow import Overflow
    from codec.known import Signers
    from codec.signatures import OnBadSignature
    from codec.taxonomy import Taxonomy

__all__ = ["Assets", "Clock", "Options"]

Assets: TypeAlias = "Collection[int | tuple[int | None, int]]"
Clock: TypeAlias = Literal["message", "receive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How lines become rows; also fit to be pickled and sent to another process.

    taxonomy: adds the column symbol. value_float: adds the column value_float.
    overflow: "raise", or "null" for values beyond 38 digits. assets: only these, each
    an asset id or a pair (taxonomy id, asset id); None is any taxonomy.

    start_ns, end_ns: only messages from then on, and before then, by the `clock`:
    "message", their own timestamps, or "receive", when they were received (lines
    without that time are left out, and parts of segments passed over by indexes).

    on_error: "raise" ends with the first bad message, "skip" lists it and goes on.
    signers: whose signatures are good; adds the columns signer and verified.
    on_bad_signature: "raise", "mark" keeps the rows, "drop" lists the message and
    leaves it out. period_ns: the time between two messages of the channel, if the
    summary shall say what is missing. threads: 1 does all on one thread; otherwise rows
    are written on a thread of its own, and so many verify signatures (0: one on each
    core).
    """

    taxonomy: Taxonomy | None = None
    value_float: bool = False
    overflow: Overflow = "raise"
    assets: Assets | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    clock: Clock = "message"
    on_error: OnError = "raise"
    signers: Signers | None = None
    on_bad_signature: OnBadSignature = "raise"
    period_ns: int | None = None
    threads: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (
            ("overflow", ("raise", "null")),
            ("clock", ("message", "receive")),
            ("on_error", ("raise", "skip")),
            ("on_bad_signature", ("raise", "mark", "drop")),
        ):
            if (value := getattr(self, name)) not in allowed:
                words = ", ".join(map(repr, allowed))
                raise ValueError(f"{name} is one of {words}, not {value!r}")

    def schema(self) -> pa.Schema:
        """The schema of the tables, whatever the lines hold."""
        return arrow.schema(
            taxonomy=self.taxonomy is not None,
            value_float=self.value_float,
            overflow=self.overflow,
            signers=self.signers is not None,
        )
