"""What the live commands read: a feed made of their options, or the simulator's."""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from codec.cli.config import NO_TOKEN, merged_options
from codec.cli.options import UsageError, symbol_ids
from codec.cli.text import printable
from codec.taxonomy import Taxonomy

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator

    from codec.feeds import FastFeed
    from codec.recording import Recorder

__all__ = ["LiveOptions", "Source", "live_options", "make_feed", "open_source"]

_NO_ASSETS = "which assets? --assets 1,2,10-20, or a --taxonomy whose assets are meant"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """The options, defaults filled in; the token never shows in the repr."""

    url: str | None = None
    token: str | None = field(default=None, repr=False)
    second_url: list[str] = field(default_factory=list)
    assets: frozenset[int] = frozenset()
    symbol: list[str] = field(default_factory=list)
    channel: str = "real_time"
    unsigned: bool = False
    market_status: bool = False
    signer: list[bytes] = field(default_factory=list)
    on_bad_signature: str = "mark"
    max_age: float | None = None
    on_overflow: str = "conflate"
    taxonomy: str | None = None
    token_file: str | None = None
    proxy: str | None = None
    ca_file: str | None = None
    no_deflate: bool = False
    metrics_port: int | None = None
    log_format: str = "text"
    log_level: str = "warning"
    log_file: str | None = None
    output: str | None = None
    prefix: str = "stork-fast"
    segment_mb: float = 268.0
    segment_seconds: float = 3600.0
    plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to connect to. text: the place for people, without parameters."""

    urls: list[str]
    token: str | Callable[[], str] = field(repr=False)
    assets: frozenset[int]
    signers: list[bytes | str]
    taxonomy: Taxonomy | None
    text: str

    @property
    def names(self) -> dict[int, str]:
        """The symbols of the assets, by id, as far as they are known."""
        if self.taxonomy is None:
            return {}
        names = ((i, self.taxonomy.symbol(i)) for i in self.assets)
        return {i: name for i, name in names if name is not None}


def live_options(args: Namespace) -> LiveOptions:
    """The options of a command line. Raises UsageError; OSError for the file."""
    values = {k: v for k, v in merged_options(args).items() if v is not None}
    if "assets" in values:
        values["assets"] = frozenset().union(*values["assets"])
    if "symbol" in values:
        values["symbol"] = [name for names in values["symbol"] for name in names]
    from_file = {"token", "token_file"} & values.keys()
    if getattr(args, "token_file", None) is None and os.environ.get("STORK_TOKEN"):
        for name in from_file:
            del values[name]
        values["token"] = os.environ["STORK_TOKEN"]
    return LiveOptions(**values)


@contextmanager
def open_source(options: LiveOptions) -> Iterator[Source]:
    """The place that the options name; where they name none, a simulator, that runs
    until the end of the `with`.

    Raises UsageError where something is missing or makes no sense.
    """
    if options.url is None:
        with _simulated(options) as source:
            yield source
        return
    token = _token(options)
    taxonomy = _taxonomy(options, token)
    assets = _assets(options, taxonomy)
    if not assets:
        raise UsageError(_NO_ASSETS)
    signers: list[bytes | str] = list(options.signer)
    yield Source(
        urls=[options.url, *options.second_url],
        token=token,
        assets=assets,
        signers=signers,
        taxonomy=taxonomy,
        text=_place(options.url),
    )


@contextmanager
def _simulated(options: LiveOptions) -> Iterator[Source]:
    if options.second_url:
        raise UsageError("--second-url needs a URL to be the second to")
    from codec.cli.embedded import EmbeddedSimulator

    has_token = options.token or options.token_file
    taxonomy = _taxonomy(options, _token(options) if has_token else None)
    if taxonomy is None:
        taxonomy = Taxonomy.example()
    assets = _assets(options, taxonomy)
    try:
        embedded = EmbeddedSimulator(assets, taxonomy)
    except ValueError as error:
        raise UsageError(f"--taxonomy without a URL to watch: {error}") from None
    with embedded as simulator:
        signers: list[bytes | str] = list(options.signer)
        if not options.unsigned:
            signers = signers or [simulator.signer]
        yield Source(
            urls=[simulator.url],
            token=simulator.token,
            assets=assets,
            signers=signers,
            taxonomy=simulator.taxonomy,
            text=f"{_place(simulator.url)}, simulated",
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
    return Taxonomy.load(place, token=token, ssl_context=_ssl_context(options))


def make_feed(
    options: LiveOptions,
    source: Source,
    *,
    on_overflow: str,
    recorder: Recorder | None = None,
) -> FastFeed:
    """The feed, not yet open. Raises UsageError for options that make no sense."""
    from codec.feeds import ConnectionSettings, FastFeed

    arguments: dict[str, Any] = {
        "channel": options.channel,
        "on_bad_signature": options.on_bad_signature,
        "on_overflow": on_overflow,
    }
    try:
        return FastFeed(
            urls=source.urls,
            token=source.token,
            assets=source.assets,
            message_type="unsigned" if options.unsigned else "signed_ecdsa",
            market_status=options.market_status,
            signers=source.signers or None,
            max_age=options.max_age,
            taxonomy=source.taxonomy,
            recorder=recorder,
            connection=ConnectionSettings(
                ssl_context=_ssl_context(options),
                proxy=options.proxy,
                deflate=not options.no_deflate,
            ),
            **arguments,
        )
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from None


def _token(options: LiveOptions) -> str | Callable[[], str]:
    if options.token_file is None:
        if options.token is None:
            raise UsageError(NO_TOKEN)
        return options.token
    path = Path(options.token_file)

    def read() -> str:
        return path.read_text("utf-8").strip()

    try:
        token = read()
    except UnicodeDecodeError:
        token = ""
    if not token or len(token.split()) != 1 or not token.isascii():
        raise UsageError(f"{path} does not hold a token, and nothing but a token")
    return read


def _ssl_context(options: LiveOptions) -> ssl.SSLContext | None:
    if options.ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=options.ca_file)
    except ssl.SSLError as error:
        raise UsageError(
            f"no certificates in {options.ca_file}: {error.reason}"
        ) from None


def _place(url: str) -> str:
    """A URL without its parameters, and without what else might be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return printable(f"{parts.scheme}://{host}{parts.path}".encode(), 60)
