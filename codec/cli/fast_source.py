"""A Stork Fast server, or a simulated one, as what the live commands read."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codec.cli.board import Board
from codec.cli.live import connection_of, place_text, ssl_context_of, token_of
from codec.cli.options import UsageError, symbol_ids
from codec.cli.sources import PriceSource
from codec.taxonomy import Taxonomy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codec.cli.live import LiveOptions
    from codec.feeds import FastFeed
    from codec.recording import Recorder

__all__ = ["FastSource", "open_fast"]

_NO_ASSETS = "which assets? --assets 1,2,10-20, or a --taxonomy whose assets are meant"


@dataclass(frozen=True, kw_only=True)
class FastSource(PriceSource):
    """A stream of Stork Fast."""

    options: LiveOptions
    urls: list[str]
    token: str | Callable[[], str] = field(repr=False)
    assets: frozenset[int]
    signers: list[bytes | str]
    taxonomy: Taxonomy | None
    place: str

    @property
    def words(self) -> list[str]:
        is_unsigned = self.options.unsigned
        words = [self.options.channel, "unsigned" if is_unsigned else "signed"]
        return words if self.signers or is_unsigned else [*words, "not verified"]

    @property
    def is_verified(self) -> bool:
        return bool(self.signers)

    @property
    def ids(self) -> list[int]:
        return sorted(self.assets)

    @property
    def names(self) -> dict[int, str]:
        if self.taxonomy is None:
            return {}
        names = ((i, self.taxonomy.symbol(i)) for i in self.assets)
        return {i: name for i, name in names if name is not None}

    def board(self) -> Board:
        return Board()

    def feed(self, *, on_overflow: str, recorder: Recorder | None = None) -> FastFeed:
        from codec.feeds import FastFeed

        options = self.options
        arguments: dict[str, Any] = {
            "channel": options.channel,
            "on_bad_signature": options.on_bad_signature,
            "on_overflow": on_overflow,
        }
        # What is recorded is not judged unless that is asked for.
        signers = self.signers if recorder is None else options.signer
        try:
            return FastFeed(
                urls=self.urls,
                token=self.token,
                assets=self.assets,
                message_type="unsigned" if options.unsigned else "signed_ecdsa",
                market_status=options.market_status,
                signers=signers or None,
                max_age=options.max_age,
                taxonomy=self.taxonomy,
                recorder=recorder,
                connection=connection_of(options),
                **arguments,
            )
        except (ValueError, TypeError) as error:
            raise UsageError(str(error)) from None


@contextmanager
def open_fast(options: LiveOptions) -> Iterator[FastSource]:
    """The stream that the options name, or a simulator's. Raises UsageError."""
    if options.url is None:
        with _simulated(options) as source:
            yield source
        return
    token = token_of(options)
    taxonomy = _taxonomy(options, token)
    assets = _assets(options, taxonomy)
    if not assets:
        raise UsageError(_NO_ASSETS)
    yield FastSource(
        options=options,
        urls=[options.url, *options.second_url],
        token=token,
        assets=assets,
        signers=list(options.signer),
        taxonomy=taxonomy,
        place=place_text(options.url),
    )


@contextmanager
def _simulated(options: LiveOptions) -> Iterator[FastSource]:
    from codec.cli.embedded import embedded
    from codec.simulator import Simulator

    if options.second_url:
        raise UsageError("--second-url needs a URL to be the second to")
    has_token = options.token or options.token_file
    taxonomy = _taxonomy(options, token_of(options) if has_token else None)
    if taxonomy is None:
        taxonomy = Taxonomy.example()
    assets = _assets(options, taxonomy)
    token = secrets.token_hex(16)
    try:
        simulator = Simulator(
            taxonomy=taxonomy,
            assets=sorted(assets),
            token=token,
            seed=secrets.randbits(62),
        )
    except ValueError as error:
        raise UsageError(f"--taxonomy without a URL to watch: {error}") from None
    with embedded(simulator):
        signers: list[bytes | str] = list(options.signer)
        if not options.unsigned:
            signers = signers or [simulator.signer]
        yield FastSource(
            options=options,
            urls=[simulator.url],
            token=token,
            assets=assets,
            signers=signers,
            taxonomy=simulator.taxonomy,
            place=f"{place_text(simulator.url)}, simulated",
        )


def _assets(options: LiveOptions, taxonomy: Taxonomy | None) -> frozenset[int]:
    """What is asked for, by id or symbol; all that the taxonomy has, where nothing
    is."""
    asked = options.assets | symbol_ids(options.symbol, taxonomy)
    if asked or taxonomy is None:
        return asked
    return frozenset(asset_id for _, asset_id in taxonomy)


def _taxonomy(
    options: LiveOptions, token: str | Callable[[], str] | None
) -> Taxonomy | None:
    place = options.taxonomy
    if place is None:
        return None
    if "://" in place and options.proxy is not None:
        raise UsageError("--taxonomy goes through no --proxy: save the list to a file")
    return Taxonomy.load(place, token=token, ssl_context=ssl_context_of(options))
