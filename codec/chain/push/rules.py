"""When an asset's value is to be pushed: by change, by silence, or each batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from operator import index
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Percent", "Point", "Rule", "Rules", "Trigger", "TriggerKind", "change_of"]

Percent: TypeAlias = "Fraction | Decimal | float | str"
"""A number; a float counts as the shortest decimal that it is written as."""


class TriggerKind(StrEnum):
    """Why an asset is to be pushed."""

    FIRST = "first"
    CHANGE = "change"
    SILENCE = "silence"
    EVERY = "every"


@dataclass(frozen=True, slots=True)
class Rule:
    """When an asset is pushed; at least one of the three is given.

    change_percent: once its value differs by that much or more from the last one that
    was pushed. max_silence_s: once that was received so many seconds ago, and a newer
    one is there. every: with each batch that has a newer one.

    An asset of which nothing was pushed yet is pushed with its first value.
    Raises ValueError for what is not above 0, or no number.
    """

    change_percent: Percent | None = None
    max_silence_s: float | None = None
    every: bool = False

    def __post_init__(self) -> None:
        if self.change_percent is not None:
            object.__setattr__(self, "change_percent", _percent(self.change_percent))
        silence = self.max_silence_s
        if silence is not None and not 0 < silence < math.inf:
            raise ValueError(f"max_silence_s must be above 0, not {silence}")
        if self.change_percent is None and silence is None and not self.every:
            raise ValueError("a rule needs change_percent, max_silence_s or every")

    def __str__(self) -> str:
        words = []
        if isinstance(self.change_percent, Fraction):
            words.append(f"{_decimal_text(self.change_percent)}%")
        if self.max_silence_s is not None:
            words.append(f"{self.max_silence_s:g} s")
        if self.every:
            words.append("every batch")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Point:
    """A value of an asset. value: the integer scaled by 10^18. received_s: when its
    message was taken in, on a clock that never goes back."""

    value: int
    timestamp_ns: int
    received_s: float


@dataclass(frozen=True, slots=True)
class Trigger:
    """An asset that is to be pushed, and why.

    change_percent: from the last pushed value, None where there is none or it was 0.
    silence_s: since that was received, None where there is none.
    """

    asset_id: int
    kind: TriggerKind
    change_percent: Fraction | None = None
    silence_s: float | None = None

    def __str__(self) -> str:
        if self.kind is TriggerKind.CHANGE:
            change = self.change_percent
            return "from 0" if change is None else f"{float(change):+.3g}%"
        if self.kind is TriggerKind.SILENCE:
            return f"silent for {self.silence_s:.3g} s"
        return "first value" if self.kind is TriggerKind.FIRST else "every batch"


class Rules(Mapping[int, Rule]):
    """The rules of the assets of one taxonomy, by asset id.

    taxonomy_id: the one whose assets these are; None: that of the first message.
    Raises ValueError for no rules, and for ids out of 0 .. 65535.
    """

    def __init__(
        self, rules: Mapping[int, Rule], *, taxonomy_id: int | None = None
    ) -> None:
        self._rules = {_uint16(i, "an asset id"): rules[i] for i in sorted(rules)}
        if not self._rules:
            raise ValueError("no asset has a rule")
        if taxonomy_id is not None:
            taxonomy_id = _uint16(taxonomy_id, "a taxonomy id")
        self.taxonomy_id = taxonomy_id

    def __getitem__(self, asset_id: int) -> Rule:
        return self._rules[asset_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def __repr__(self) -> str:
        return f"<Rules: {len(self)} asset{'' if len(self) == 1 else 's'}>"

    def judge(
        self, asset_id: int, newest: Point, pushed: Point | None, now_s: float
    ) -> Trigger | None:
        """Whether an asset is to be pushed now, and why; the first reason of: first,
        change, silence, every.

        pushed: what the chain has of it, None for nothing. What is no newer than that,
        by its timestamp, is never pushed.
        """
        if pushed is None:
            return Trigger(asset_id, TriggerKind.FIRST)
        if newest.timestamp_ns <= pushed.timestamp_ns:
            return None
        rule = self._rules[asset_id]
        kind = None
        percent = rule.change_percent
        silence_s = now_s - pushed.received_s
        if isinstance(percent, Fraction) and has_changed(
            pushed.value, newest.value, percent
        ):
            kind = TriggerKind.CHANGE
        elif rule.max_silence_s is not None and silence_s >= rule.max_silence_s:
            kind = TriggerKind.SILENCE
        elif rule.every:
            kind = TriggerKind.EVERY
        if kind is None:
            return None
        return Trigger(asset_id, kind, change_of(pushed.value, newest.value), silence_s)


def has_changed(before: int, after: int, percent: Fraction) -> bool:
    """Whether the difference is at least that many percent of |before|.

    Exact: integers are compared. From 0 every change counts. Across zero the whole way
    counts, so that -1 to 1 is 200%; of negative values the magnitude is the base.
    """
    difference = abs(after - before)
    if not difference:
        return False
    return 100 * difference * percent.denominator >= percent.numerator * abs(before)


def change_of(before: int, after: int) -> Fraction | None:
    """The change in percent of |before|, positive upwards; None where that is 0."""
    return Fraction(100 * (after - before), abs(before)) if before else None


def _percent(value: Percent) -> Fraction:
    try:
        percent = Fraction(str(value) if isinstance(value, float) else value)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        percent = Fraction(0)
    if percent <= 0:
        raise ValueError(f"change_percent must be above 0, not {str(value)[:50]}")
    return percent


def _decimal_text(number: Fraction) -> str:
    exact = Decimal(number.numerator) / Decimal(number.denominator)
    return f"{exact.normalize():f}"


def _uint16(number: int, what: str) -> int:
    value = index(number)
    if not 0 <= value <= 65535:
        raise ValueError(f"{what} is in 0 .. 65535, not {value}")
    return value
