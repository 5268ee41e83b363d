"""`AggregatorFeed`: live prices of Stork's aggregator, every signature checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, get_args

from codec.aggregator import AggregatorBatch, Require, decode
from codec.feeds import stork_aggregator
from codec.feeds.aggregator_conflation import conflate
from codec.feeds.aggregator_intake import AggregatorIntake
from codec.feeds.asset_feed import AssetFeed, limits_ns
from codec.feeds.endpoint import Secret, token_endpoint
from codec.feeds.stats import AggregatorStats, age_of
from codec.feeds.urls import one_or_several

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from codec.aggregator import Symbols
    from codec.feeds._listener import Lines
    from codec.feeds.client import ConnectionSettings
    from codec.feeds.endpoint import Token
    from codec.feeds.feed import OnOverflow
    from codec.known import Signers
    from codec.recording import Recorder

__all__ = ["AggregatorFeed"]

_NS = 1_000_000_000
_SILENCE_S = 60.0
# Chunks up to this have about a hundred signatures, 3 ms at the most. Larger ones, and
# above all a single message of megabytes, would keep the event loop for a tenth of a
# second and more: a worker thread checks them, mostly without the GIL.
_AT_ONCE_LEN = 64 << 10


class AggregatorFeed(AssetFeed[AggregatorBatch, str, AggregatorIntake]):
    """Live aggregated prices: `async with` opens it, `async for` gives batches.

    A batch is an AggregatorBatch of what had arrived together when it was asked for.
    All that is signed in it has been checked, and what does not pass `require` has been
    left out, aggregate by aggregate, counted and reported. Connections are made again
    whenever they fail, until `close`; what happens meanwhile is in `events`, and
    counted in `stats`. For scripts without asyncio, plain `with` gives a
    `BlockingFeed`, and `for` its batches.

    url: the server's, `wss://host`; `/evm/subscribe` is added where it has no path.
    urls: several instead, read at once for safety: each aggregate is delivered once, by
    whichever connection it came first. token: Stork's; or a callable, asked before
    every connection, that gives it (at once or awaited). assets: names to subscribe to,
    maybe none at first.

    require: "aggregate", the aggregator's signature and all that it covers is good;
    "all", so are the Merkle root and every publisher's price; "none", whatever can be
    decoded. signers: aggregators to trust, as `codec.verify` takes them; None: any.
    signature_type: "evm", or "stark", whose signatures nobody here can check, so that
    it needs require="none". max_age: seconds; aggregates older than that when they
    arrive are left out, counted in `stats.stale`.

    on_overflow, max_queue_len: as in FastFeed; "conflate" keeps messages with the
    newest value of an asset that passes. silence: seconds without an aggregate that
    passes, after which a connection is made anew. absent_after: seconds without a value
    after which an asset is reported, by default the same. recorder: gets every chunk of
    lines that leaves the queue. connection: how connections are made. threads: workers
    that check signatures, 0 for one on each core. clock_ns: the clock of `receive_ns`,
    unix ns.

    Raises ValueError or TypeError for arguments that make no sense, SignatureError for
    a signer's address that is none. Iterating raises FeedAuthError, FeedProtocolError
    or FeedError once no connection is worth another attempt.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: Token,
        assets: Iterable[str],
        require: Require = "aggregate",
        signers: Signers | None = None,
        signature_type: stork_aggregator.SignatureKind = "evm",
        max_age: float | None = None,
        on_overflow: OnOverflow = "wait",
        max_queue_len: int = 16 << 20,
        urls: Sequence[str] | None = None,
        silence: float = _SILENCE_S,
        absent_after: float | None = None,
        recorder: Recorder | None = None,
        connection: ConnectionSettings | None = None,
        threads: int = 1,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        try:
            secret = Secret(token)
        finally:
            del token  # no traceback that shows variables has it
        _check_require(require, signature_type)
        if isinstance(signers, Iterator):
            signers = list(signers)
        decode([], signers=signers, threads=threads)  # raises where they are of no use
        urls = [
            stork_aggregator.connection_url(each, signature_type, "subscribe")
            for each in one_or_several(url, urls)
        ]
        absent_after_ns, max_age_ns = limits_ns(silence, absent_after, max_age)
        self._silence = silence
        self._assets = stork_aggregator.asset_names(assets)
        self._executor: ThreadPoolExecutor | None = None
        super().__init__(
            [token_endpoint(each, secret) for each in urls],
            on_overflow=on_overflow,
            max_queue_len=max_queue_len,
            conflate=partial(
                conflate, require=require, signers=signers, threads=threads
            ),
            recorder=recorder,
            connection=connection,
            clock_ns=clock_ns,
        )
        self._intake = AggregatorIntake(
            self.events,
            require=require,
            signers=signers,
            max_age_ns=max_age_ns,
            absent_after_ns=absent_after_ns,
            n_connections=len(urls),
            threads=threads,
            clock_ns=clock_ns,
        )
        self._intake.watch(self._assets)

    @property
    def symbols(self) -> Symbols:
        """The names of all batches, by the index that stands in their rows."""
        return self._intake.symbols

    @property
    def stats(self) -> AggregatorStats:
        """The counts of this moment."""
        intake = self._intake
        return AggregatorStats(
            messages=intake.messages,
            aggregates=intake.aggregates,
            publishers=intake.publishers,
            batches=intake.batches,
            bad=intake.bad,
            bad_signatures=intake.bad_signatures,
            bad_publishers=intake.bad_publishers,
            stale=intake.stale,
            duplicates=intake.duplicates,
            backwards=intake.backwards,
            not_data=intake.not_data,
            decode_s=intake.decode_ns / _NS,
            age=age_of(self.ages),
            faults=MappingProxyType(dict(intake.faults)),
            **self._counts(),
        )

    @property
    def ages(self) -> NDArray[np.uint64]:
        """The histogram of aggregates' ages on arrival, as in `codec.monitor`."""
        return self._intake.ages.histogram.copy()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._executor = ThreadPoolExecutor(1, "codec.feeds.checks")
        return self

    async def close(self) -> None:
        try:
            await super().close()
        finally:
            executor, self._executor = self._executor, None
            if executor is not None:
                executor.shutdown(wait=False)

    def _read_assets(self, assets: Iterable[str]) -> set[str]:
        return stork_aggregator.asset_names(assets)

    def _subscribing(self, assets: set[str]) -> Iterable[bytes]:
        return stork_aggregator.subscribe_frames(assets)

    def _unsubscribing(self, assets: set[str]) -> Iterable[bytes]:
        return stork_aggregator.unsubscribe_frames(assets)

    def _read(
        self, lines: Lines
    ) -> Iterable[AggregatorBatch] | asyncio.Task[Iterable[AggregatorBatch]]:
        if len(lines) > _AT_ONCE_LEN and self._executor is not None:
            loop = asyncio.get_running_loop()
            # At once: the executor may be gone when a task begins.
            decoding = loop.run_in_executor(self._executor, self._intake.decode, lines)
            return loop.create_task(self._take_decoded(lines, decoding))
        return self._intake.take(lines, self._intake.decode(lines), self._confirm)

    async def _take_decoded(
        self, lines: Lines, decoding: asyncio.Future[AggregatorBatch]
    ) -> Iterable[AggregatorBatch]:
        return self._intake.take(lines, await decoding, self._confirm)


def _check_require(require: str, signature_type: str) -> None:
    if require not in get_args(Require):
        raise ValueError(f"require is 'aggregate', 'all' or 'none', not {require!r}")
    if signature_type == "stark" and require != "none":
        raise ValueError("stark signatures cannot be checked: use require='none'")
