"""Stork's aggregator, or a simulated one, as what the live commands read."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codec.cli.board import Board
from codec.cli.live import connection_of, place_text, token_of
from codec.cli.options import UsageError
from codec.cli.sources import PriceSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codec.aggregator import AggregatorBatch
    from codec.cli.live import LiveOptions
    from codec.feeds import AggregatorFeed
    from codec.recording import Recorder

__all__ = ["AggregatorSource", "open_aggregator"]

_REQUIRE = "aggregate"
_NO_ASSETS = "which assets? --symbol BTCUSD,ETHUSD"


class AggregatorBoard(Board):
    """The newest aggregate of every asset, by its index among the feed's symbols."""

    def add(self, batch: AggregatorBatch) -> None:  # type: ignore[override]
        """Notes all aggregates of a batch."""
        rows = batch.aggregates
        verified = rows["verified"]
        self._count_verdicts(verified)
        self._note(rows["symbol"], rows["value"], rows["timestamp_ns"], verified)


@dataclass(frozen=True, kw_only=True)
class AggregatorSource(PriceSource):
    """The prices of an aggregator."""

    has_ids = False

    options: LiveOptions
    urls: list[str]
    token: str | Callable[[], str] = field(repr=False)
    assets: list[str]
    signers: list[bytes | str]
    place: str

    @property
    def words(self) -> list[str]:
        words = [f"require {self.options.require or _REQUIRE}"]
        return words if self.signers else [*words, "any aggregator"]

    @property
    def is_verified(self) -> bool:
        return True

    @property
    def ids(self) -> range:
        return range(len(self.assets))

    @property
    def names(self) -> dict[int, str]:
        return dict(enumerate(self.assets))

    def board(self) -> Board:
        return AggregatorBoard()

    def feed(
        self, *, on_overflow: str, recorder: Recorder | None = None
    ) -> AggregatorFeed:
        from codec.feeds import AggregatorFeed

        options = self.options
        # What is recorded is recorded whatever it shows, and keeps a connection alive.
        default = _REQUIRE if recorder is None else "none"
        arguments: dict[str, Any] = {
            "require": options.require or default,
            "on_overflow": on_overflow,
        }
        try:
            return AggregatorFeed(
                urls=self.urls,
                token=self.token,
                assets=self.assets,
                signers=self.signers or None,
                max_age=options.max_age,
                recorder=recorder,
                connection=connection_of(options),
                **arguments,
            )
        except (ValueError, TypeError) as error:
            raise UsageError(str(error)) from None


@contextmanager
def open_aggregator(options: LiveOptions) -> Iterator[AggregatorSource]:
    """The aggregator that the options name, or a simulated one. Raises UsageError."""
    # In the order in which a feed numbers its symbols.
    assets = sorted(set(options.symbol))
    signers: list[bytes | str] = list(options.signer)
    if options.url is None:
        with _simulated(options, assets, signers) as source:
            yield source
        return
    token = token_of(options)
    if not assets:
        raise UsageError(_NO_ASSETS)
    yield AggregatorSource(
        options=options,
        urls=[options.url, *options.second_url],
        token=token,
        assets=assets,
        signers=signers,
        place=place_text(options.url),
    )


@contextmanager
def _simulated(
    options: LiveOptions, assets: list[str], signers: list[bytes | str]
) -> Iterator[AggregatorSource]:
    from codec.cli.embedded import embedded
    from codec.simulator import AggregatorSimulator

    if options.second_url:
        raise UsageError("--second-url needs a URL to be the second to")
    token = secrets.token_hex(16)
    try:
        simulator = AggregatorSimulator(
            assets=assets or None, token=token, seed=secrets.randbits(62)
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    with embedded(simulator):
        yield AggregatorSource(
            options=options,
            urls=[simulator.url],
            token=token,
            assets=sorted(simulator.assets),
            signers=signers or [simulator.signer],
            place=f"{place_text(simulator.url)}, simulated",
        )
