"""What the live commands read: a feed made of their options, or the simulator's."""

from __future__ import annotations

import json
import os
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from codec.cli.config import NO_TOKEN, merged_options
from codec.cli.options import UsageError
from codec.cli.text import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Mapping

    from codec.feeds import FastFeed
    from codec.recording import Recorder

__all__ = ["LiveOptions", "Source", "live_options", "make_feed", "open_source"]

_NO_ASSETS = "which assets? --assets 1,2,10-20, or a --taxonomy whose assets are meant"
_N_SIMULATED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """The options, defaults filled in; the token never shows in the repr."""

    url: str | None = None
    token: str | None = field(default=None, repr=False)
    second_url: list[str] = field(default_factory=list)
    assets: frozenset[int] = frozenset()
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
    names: Mapping[int, str]
    taxonomy_id: int | None
    text: str


def live_options(args: Namespace) -> LiveOptions:
    """The options of a command line. Raises UsageError; OSError for the file."""
    values = {k: v for k, v in merged_options(args).items() if v is not None}
    if "assets" in values:
        values["assets"] = frozenset().union(*values["assets"])
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
    names, taxonomy_id = _read_taxonomy(options.taxonomy)
    assets = options.assets or frozenset(names)
    if not assets:
        raise UsageError(_NO_ASSETS)
    signers: list[bytes | str] = list(options.signer)
    yield Source(
        urls=[options.url, *options.second_url],
        token=_token(options),
        assets=assets,
        signers=signers,
        names=names,
        taxonomy_id=taxonomy_id,
        text=_place(options.url),
    )


@contextmanager
def _simulated(options: LiveOptions) -> Iterator[Source]:
    if options.second_url:
        raise UsageError("--second-url needs a URL to be the second to")
    from codec.cli.embedded import EmbeddedSimulator

    assets = options.assets or frozenset(range(1, _N_SIMULATED + 1))
    with EmbeddedSimulator(assets) as simulator:
        signers: list[bytes | str] = list(options.signer)
        if not options.unsigned:
            signers = signers or [simulator.signer]
        yield Source(
            urls=[simulator.url],
            token=simulator.token,
            assets=assets,
            signers=signers,
            names=simulator.names,
            taxonomy_id=None,
            text=f"{_place(simulator.url)}, simulated",
        )


def make_feed(
    options: LiveOptions,
    source: Source,
    *,
    on_overflow: str,
    recorder: Recorder | None = None,
) -> FastFeed:
    """The feed, not yet open. Raises UsageError for options that make no sense."""
    from codec.feeds import ConnectionSettings, FastFeed

    context = None
    if options.ca_file is not None:
        try:
            context = ssl.create_default_context(cafile=options.ca_file)
        except ssl.SSLError as error:
            raise UsageError(
                f"no certificates in {options.ca_file}: {error.reason}"
            ) from None
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
            taxonomy=source.taxonomy_id,
            recorder=recorder,
            connection=ConnectionSettings(
                ssl_context=context,
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


def _read_taxonomy(path: str | None) -> tuple[dict[int, str], int | None]:
    if path is None:
        return {}, None
    try:
        fields = json.loads(Path(path).read_bytes())
        names = {int(a["asset_id"]): str(a["name"]) for a in fields["assets"]}
        taxonomy_id = int(fields["taxonomy_id"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UsageError(
            f'{path} is no taxonomy: {{"taxonomy_id":1,"assets":[{{"name":"BTCUSD",'
            f'"asset_id":3}}, ...]}} is needed'
        ) from None
    return names, taxonomy_id


def _place(url: str) -> str:
    """A URL without its parameters, and without what else might be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return printable(f"{parts.scheme}://{host}{parts.path}".encode(), 60)
