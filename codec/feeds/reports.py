"""What is wrong with received data, as events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from codec.errors import ErrorCode
from codec.feeds.events import EventKind
from codec.feeds.replies import Meaning, Reply, read_reply
from codec.feeds.words import shown
from codec.monitor import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from codec.feeds._listener import Lines
    from codec.feeds.events import Events

__all__ = [
    "report_assets",
    "report_errors",
    "report_notices",
    "report_replies",
    "report_stale",
]

# A chunk can be thousands of faults; so many are looked at one by one.
_MOST = 32
_BEGINNING = 100

_MEANINGS = {
    Meaning.ACKNOWLEDGEMENT: EventKind.ACKNOWLEDGED,
    Meaning.ERROR: EventKind.SERVER_ERROR,
    Meaning.UNKNOWN: EventKind.UNKNOWN_MESSAGE,
}
_NOTICES = {
    NoticeKind.GAP: (EventKind.GAP, "ticks missing: {amount}"),
    NoticeKind.BACKWARDS: (EventKind.BACKWARDS, "time went back by {amount} ns"),
    NoticeKind.FUTURE: (
        EventKind.FUTURE,
        "a message is from {amount} ns in the future",
    ),
    NoticeKind.TAXONOMY_CHANGE: (
        EventKind.TAXONOMY_CHANGE,
        "taxonomy {taxonomy_id} instead of {amount}",
    ),
    NoticeKind.DUPLICATE_ASSET: (
        EventKind.DUPLICATE_ASSET,
        "asset {asset_id} stands {amount} times in a message",
    ),
}


def report_errors(
    events: Events,
    lines: Lines,
    errors: NDArray[Any],
    asset_type: type[int | str] = int,
) -> Counter[EventKind]:
    """Reports messages that gave no rows: bad ones, and those that are no data.

    errors: in ascending order of messages, of which each may have several. asset_type:
    what assets are in this protocol. Returns how many there are of each kind.
    """
    source = lines.source if lines.source >= 0 else None
    texts = bytes(lines).split(b"\n")
    counts: Counter[EventKind] = Counter()
    rest: Counter[EventKind] = Counter()
    reply_index, reply = -1, None
    for i, (index, offset, code) in enumerate(errors.tolist()):
        message = texts[index].partition(b" ")[2]
        if index != reply_index:  # of a message's many errors only the first is read
            reply_index, reply = index, _reply_of(message, code, asset_type)
        kind = _MEANINGS[reply.meaning] if reply else _kind_of(code)
        counts[kind] += 1
        if i >= _MOST:
            rest[kind] += 1
        elif reply:
            text = f"{reply.type}: {reply.text}" if reply.type else reply.text
            events.emit(
                kind, text, connection=source, type=reply.type, assets=reply.assets
            )
        else:
            code = ErrorCode(code)
            events.emit(
                kind,
                f"{code.description} [{code}, byte {offset}]",
                connection=source,
                code=code,
                offset=offset,
                message=message[:_BEGINNING],
            )
    for kind, n in rest.items():
        text = f"and {n} more in the same chunk"
        events.emit(kind, text, connection=source, n=n, messages=n)
    return counts


def report_replies(
    events: Events, lines: Lines, asset_type: type[int | str]
) -> Counter[EventKind]:
    """Reports messages where none is data; returns how many there are of each kind."""
    source = lines.source if lines.source >= 0 else None
    texts = bytes(lines).split(b"\n")[: lines.n_lines]
    counts: Counter[EventKind] = Counter()
    for line in texts[:_MOST]:
        reply = read_reply(line.partition(b" ")[2], asset_type)
        kind = _MEANINGS[reply.meaning]
        counts[kind] += 1
        text = f"{reply.type}: {reply.text}" if reply.type else reply.text
        events.emit(kind, text, connection=source, type=reply.type, assets=reply.assets)
    n = len(texts) - _MOST
    if n > 0:
        kind = EventKind.UNKNOWN_MESSAGE
        counts[kind] += n
        text = f"and {n} more in the same chunk, not read"
        events.emit(kind, text, connection=source, n=n, messages=n)
    return counts


def _reply_of(message: bytes, code: int, asset_type: type[int | str]) -> Reply | None:
    """What a message that is no data says. One with an error may have no type."""
    if code not in (ErrorCode.NOT_DATA, ErrorCode.MISSING_FIELD):
        return None
    reply = read_reply(message, asset_type)
    is_reply = code == ErrorCode.NOT_DATA or reply.meaning is not Meaning.UNKNOWN
    return reply if is_reply else None


def _kind_of(code: int) -> EventKind:
    of_signature = code >= ErrorCode.UNSIGNED
    return EventKind.BAD_SIGNATURE if of_signature else EventKind.BAD_MESSAGE


def report_notices(events: Events, notices: NDArray[Any]) -> int:
    """Reports what the monitor noticed; returns how many gaps there were."""
    names = notices.dtype.names or ()
    for notice in notices[:_MOST].tolist():
        fields = dict(zip(names, notice, strict=True))
        kind, text = _NOTICES[NoticeKind(fields.pop("kind"))]
        events.emit(kind, text.format(**fields), **fields)
    rest = np.bincount(notices["kind"][_MOST:], minlength=1)
    for number in np.flatnonzero(rest).tolist():
        n = int(rest[number])
        kind, _ = _NOTICES[NoticeKind(number)]
        events.emit(kind, f"and {n} more in the same chunk", n=n)
    return int(np.count_nonzero(notices["kind"] == NoticeKind.GAP))


def report_stale(
    events: Events,
    what: str,
    received_ns: NDArray[np.uint64],
    sent_ns: NDArray[np.uint64],
    max_age_ns: int,
) -> NDArray[np.bool_]:
    """Says which are older than that on arrival, and reports them. what: plural."""
    late = received_ns > sent_ns
    stale: NDArray[np.bool_] = late & (received_ns - sent_ns > np.uint64(max_age_ns))
    n = int(np.count_nonzero(stale))
    if n:
        oldest_s = int((received_ns - sent_ns)[stale].max()) / 1e9
        events.emit(
            EventKind.STALE,
            f"{what} too old: {n}, by up to {oldest_s:.3f} s",
            n=n,
            oldest_s=oldest_s,
            **{what: n},
        )
    return stale


def report_assets(
    events: Events, gone: Sequence[int | str], back: Sequence[int | str]
) -> None:
    """Reports subscribed assets that stay away, and those that came back."""
    if gone:
        text = f"no value of {_named(gone)} for too long"
        events.emit(EventKind.ASSET_ABSENT, text, assets=tuple(gone))
    if back:
        text = f"{_named(back)} came back"
        events.emit(EventKind.ASSET_BACK, text, assets=tuple(back))


def _named(assets: Sequence[int | str]) -> str:
    names = ", ".join(shown(str(asset)) for asset in assets[:10])
    rest = f" and {len(assets) - 10} more" if len(assets) > 10 else ""
    return f"{'asset' if len(assets) == 1 else 'assets'} {names}{rest}"
