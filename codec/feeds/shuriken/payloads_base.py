"""What all payloads have: names as on the wire, unknown fields kept, problems told."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

__all__ = ["EXTRA", "TAG", "Extra", "Misfit", "Network", "Payload"]

# Names that stand for things of ours among those of the wire. Whoever sends them finds
# them in `extra`: nothing of the wire is decoded into an Extra, nor as a tag.
EXTRA = ""
TAG = " "


class Extra(dict[str, Any]):
    """The fields that a struct does not know, by their names on the wire.

    Numbers with a fraction or an exponent are Decimals.
    """


class Misfit(dict[str, Any]):
    """A payload that is not what its stream promises, as it was sent.

    problem: what does not fit, with the field's path ("$.fees.platform"). Empty where
    the text is no JSON object at all.
    """

    def __init__(self, value: dict[str, Any], problem: str) -> None:
        super().__init__(value)
        self.problem = problem

    def __repr__(self) -> str:
        return f"Misfit({super().__repr__()}, problem={self.problem!r})"


class Payload(
    msgspec.Struct,
    rename="camel",
    kw_only=True,
    frozen=True,
    forbid_unknown_fields=True,  # the sign to collect them, see payloads_shapes.py
):
    """A payload, or a part of one.

    Decimals are exact, whether sent as text or as numbers. What may be absent is None.
    extra: fields that are not known.
    """

    extra: Extra = msgspec.field(name=EXTRA, default_factory=Extra)

    def __repr__(self) -> str:
        """Without what is absent."""
        shown = (
            f"{name}={value!r}"
            for name in (*self.__struct_fields__[1:], self.__struct_fields__[0])
            if (value := getattr(self, name)) is not None and value != {}
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class Network(StrEnum):
    """The networks that are known; payloads have plain text, equal to these."""

    ETH = "eth"
    BASE = "base"
    BLAST = "blast"
    AVAX = "avax"
    BSC = "bsc"
    TRX = "trx"
    SOL = "sol"
    MONAD = "monad"
    HYPE = "hype"
