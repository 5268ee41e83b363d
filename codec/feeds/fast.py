"""`FastFeed`: live Stork Fast messages as batches of decoded rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from codec import signatures
from codec.batch import Batch
from codec.feeds import stork_fast
from codec.feeds.asset_feed import AssetFeed, limits_ns
from codec.feeds.conflation import conflate
from codec.feeds.endpoint import Secret, token_endpoint
from codec.feeds.intake import Intake
from codec.feeds.stats import Stats
from codec.feeds.urls import one_or_several
from codec.taxonomy import Taxonomy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from codec.feeds._listener import Lines
    from codec.feeds.client import ConnectionSettings
    from codec.feeds.endpoint import Token
    from codec.feeds.feed import OnOverflow
    from codec.known import Signers
    from codec.recording import Recorder
    from codec.signatures import OnBadSignature

__all__ = ["FastFeed"]

_NS = 1_000_000_000
# Without a word for so long, a connection is made anew, and an asset reported.
_FIXED_SILENCE_S = 5.0
_REAL_TIME_SILENCE_S = 60.0


class FastFeed(AssetFeed[Batch, int, Intake]):
    """A live Stork Fast stream: `async with` opens it, `async for` gives batches.

    A batch is what had arrived together when it was asked for: all of it decoded in one
    call, at most 256 KiB of it, with `receive_ns` filled, in arrays of its own.
    Connections are made again whenever they fail, until `close`; what happens meanwhile
    is in `events`, and counted in `stats`. For scripts without asyncio, plain `with`
    gives a `BlockingFeed`, and `for` its batches.

    url: the server's, `wss://host/ws`; the stream's parameters are added. urls: several
    instead, read at once for safety: each message is delivered once, by whichever
    connection it came first. token: Stork's; or a callable, asked before every
    connection, that gives it (at once or awaited). assets: ids to subscribe to, maybe
    none at first. channel: 10ms, 20ms, 50ms, 100ms, 500ms, 1s or real_time.
    message_type: signed_ecdsa or unsigned. market_status: ask for it (layout 2).

    signers, on_bad_signature: as in `codec.decode`; "raise" raises BadSignatureError
    out of the iteration, which can be gone on with: the good messages come next.
    max_age: seconds; messages older than that when they arrive are taken out, counted
    in `stats.stale`. taxonomy: the id that is expected, or a Taxonomy that has only
    that; another one is an event.

    on_overflow: what happens when messages come faster than they are asked for, and
    `max_queue_len` bytes wait: "wait" stops reading, so that the server has to hold
    them; "drop_oldest" forgets the oldest; "conflate" keeps only messages with the
    newest value of an asset. What is given up is counted in `stats.dropped`.

    silence: seconds without valid data after which a connection is made anew, by
    default 5 on fixed channels and 60 on real_time. absent_after: seconds without a
    value after which an asset is reported, by default the same. recorder: gets every
    chunk of lines that leaves the queue. connection: how connections are made.
    clock_ns: the clock of `receive_ns`, unix ns.

    Raises ValueError or TypeError for arguments that make no sense, SignatureError for
    a signer's address that is none. Iterating raises FeedAuthError, FeedProtocolError
    or FeedError once no connection is worth another attempt.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: Token,
        assets: Iterable[int],
        channel: stork_fast.Channel = "real_time",
        message_type: stork_fast.MessageType = "signed_ecdsa",
        market_status: bool = False,
        signers: Signers | None = None,
        on_bad_signature: OnBadSignature = "raise",
        max_age: float | None = None,
        taxonomy: int | Taxonomy | None = None,
        on_overflow: OnOverflow = "wait",
        max_queue_len: int = 16 << 20,
        urls: Sequence[str] | None = None,
        silence: float | None = None,
        absent_after: float | None = None,
        recorder: Recorder | None = None,
        connection: ConnectionSettings | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        try:
            secret = Secret(token)
        finally:
            del token  # no traceback that shows variables has it
        if signers is not None and message_type == "unsigned":
            raise ValueError("unsigned messages have no signers")
        if isinstance(signers, Iterator):
            signers = list(signers)
        urls = [
            stork_fast.connection_url(
                each, channel, message_type, market_status=market_status
            )
            for each in one_or_several(url, urls)
        ]
        period_ns = stork_fast.period_ns(channel)
        if silence is None:
            silence = _REAL_TIME_SILENCE_S if period_ns is None else _FIXED_SILENCE_S
        absent_after_ns, max_age_ns = limits_ns(silence, absent_after, max_age)
        if isinstance(taxonomy, Taxonomy):
            ids = taxonomy.taxonomy_ids
            taxonomy = ids[0] if len(ids) == 1 else None
        verify = (
            None if signers is None else partial(signatures.verify, signers=signers)
        )
        self._silence = silence
        self._assets = stork_fast.asset_set(assets)
        super().__init__(
            [token_endpoint(each, secret) for each in urls],
            on_overflow=on_overflow,
            max_queue_len=max_queue_len,
            conflate=partial(conflate, verify=verify),
            recorder=recorder,
            connection=connection,
            clock_ns=clock_ns,
        )
        self._intake = Intake(
            self.events,
            signers=signers,
            on_bad_signature=on_bad_signature,
            max_age_ns=max_age_ns,
            period_ns=period_ns,
            taxonomy_id=taxonomy,
            absent_after_ns=absent_after_ns,
            n_connections=len(urls),
            clock_ns=clock_ns,
        )
        self._intake.watch(self._assets)

    @property
    def stats(self) -> Stats:
        """The counts of this moment."""
        intake = self._intake
        return Stats(
            messages=intake.messages,
            updates=intake.updates,
            batches=intake.batches,
            gaps=intake.gaps,
            missing_ticks=intake.missing_ticks,
            bad=intake.bad,
            bad_signatures=intake.bad_signatures,
            stale=intake.stale,
            duplicates=intake.duplicates,
            not_data=intake.not_data,
            decode_s=intake.decode_ns / _NS,
            age=intake.age,
            **self._counts(),
        )

    @property
    def ages(self) -> NDArray[np.uint64]:
        """The histogram of all messages' ages on arrival, as in `codec.monitor`."""
        return self._intake.ages

    def _read_assets(self, assets: Iterable[int]) -> set[int]:
        return stork_fast.asset_set(assets)

    def _subscribing(self, assets: set[int]) -> Iterable[bytes]:
        return stork_fast.subscribe_frames(assets)

    def _unsubscribing(self, assets: set[int]) -> Iterable[bytes]:
        return stork_fast.unsubscribe_frames(assets)

    def _read(self, lines: Lines) -> Iterable[Batch | Exception]:
        return self._intake.read(lines, self._confirm)
