"""What is wrong with aggregates, as counts and events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from codec.errors import ErrorCode
from codec.feeds.events import EventKind
from codec.feeds.words import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from codec.aggregator import AggregatorBatch, Symbols
    from codec.feeds.asset_clocks import Notice
    from codec.feeds.events import Events

__all__ = [
    "count_faults",
    "report_clocks",
    "report_homeless",
    "report_publishers",
    "report_rejected",
]

# In the order in which `AggregatorBatch.failures` looks at them.
_STATUSES = ("signature", "msg_hash", "encoded_asset_id", "consistency", "merkle_root")
_OF_PUBLISHERS = ("signature", "msg_hash")
_MOST = 32  # things of a chunk that are reported one by one
_MOST_NAMES = 10


def count_faults(batch: AggregatorBatch) -> Counter[str]:
    """How many aggregates and publishers' prices have which status that is not good."""
    counts: Counter[str] = Counter()
    for rows, names, prefix in (
        (batch.aggregates, _STATUSES, ""),
        (batch.publishers, _OF_PUBLISHERS, "publisher "),
    ):
        for name in names:
            codes = rows[name]
            if codes.any():
                for code, n in _tally(codes[codes != 0]):
                    counts[f"{prefix}{name}: {ErrorCode(code)}"] += n
    return counts


def _tally(codes: NDArray[Any]) -> Iterator[tuple[int, int]]:
    found, counts = np.unique(codes, return_counts=True)
    yield from zip(found.tolist(), counts.tolist(), strict=True)


def report_rejected(
    events: Events,
    source: int | None,
    batch: AggregatorBatch,
    failures: NDArray[np.uint8],
) -> None:
    """Reports aggregates that are left out, together those with the same fault.

    failures: as `AggregatorBatch.failures` gives them.
    """
    groups: dict[tuple[str, int], list[int]] = {}
    rows = np.flatnonzero(failures)
    statuses = {name: batch.aggregates[name] for name in _STATUSES}
    for row in rows.tolist():
        bad = (name for name, codes in statuses.items() if codes[row])
        key = next(bad, "publisher"), int(failures[row])
        groups.setdefault(key, []).append(row)
    for (status, number), members in groups.items():
        code = ErrorCode(number)
        names = _names(batch.symbol(row) for row in members[:_MOST])
        n = len(members)
        events.emit(
            EventKind.BAD_SIGNATURE,
            f"{_listed(names, n)}: {code.description} [{status}: {code}]",
            connection=source,
            n=n,
            code=code,
            status=status,
            assets=names,
            aggregates=n,
        )


def report_publishers(
    events: Events, source: int | None, batch: AggregatorBatch
) -> None:
    """Reports publishers whose prices are not as they were signed, each once."""
    rows = np.flatnonzero(~batch.publishers["verified"])
    groups: dict[tuple[bytes, int], list[int]] = {}
    for row in rows.tolist():
        price = batch.publishers[row]
        code = int(price["signature"]) or int(price["msg_hash"])
        groups.setdefault((price["publisher"].tobytes(), code), []).append(row)
    rest = 0
    for i, ((address, number), members) in enumerate(groups.items()):
        n = len(members)
        if i >= _MOST:
            rest += n
            continue
        code = ErrorCode(number)
        symbols = batch.publishers["symbol"][members[:_MOST]].tolist()
        names = _names(batch.symbols[symbol] for symbol in symbols)
        events.emit(
            EventKind.BAD_PUBLISHER,
            f"publisher 0x{address.hex()}: {_listed(names, n)}:"
            f" {code.description} [{code}]",
            connection=source,
            n=n,
            publisher=f"0x{address.hex()}",
            code=code,
            assets=names,
            prices=n,
        )
    if rest:
        text = f"and {rest} more prices in the same chunk"
        events.emit(
            EventKind.BAD_PUBLISHER, text, connection=source, n=rest, prices=rest
        )


def report_clocks(events: Events, symbols: Symbols, notices: Sequence[Notice]) -> int:
    """Reports odd timestamps; returns how many went backwards."""
    for notice in notices[:_MOST]:
        name = symbols[notice.asset]
        if notice.is_future:
            kind = EventKind.FUTURE
            text = f"{shown(name)} is from {notice.amount_ns} ns in the future"
        else:
            kind = EventKind.BACKWARDS
            text = f"the time of {shown(name)} went back by {notice.amount_ns} ns"
        events.emit(kind, text, asset=name, amount=notice.amount_ns)
    counts = Counter(notice.is_future for notice in notices[_MOST:])
    for is_future, n in counts.items():
        kind = EventKind.FUTURE if is_future else EventKind.BACKWARDS
        events.emit(kind, f"and {n} more in the same chunk", n=n)
    return sum(not notice.is_future for notice in notices)


def report_homeless(events: Events, names: Sequence[str]) -> None:
    """Reports assets that can never come, as the table of names has no room."""
    if names:
        listed = _listed(names[:_MOST_NAMES], len(names))
        text = f"no room among the names of this feed for {listed}: it cannot come"
        events.emit(EventKind.ASSET_ABSENT, text, assets=tuple(names))


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))[:_MOST_NAMES]


def _listed(names: Sequence[str], n: int) -> str:
    listed = ", ".join(map(shown, names))
    return f"{listed} and others, {n} in all" if n > len(names) else listed
