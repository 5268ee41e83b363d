"""The live commands' options, and what any feed's connection needs of them."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from codec.cli.config import NO_TOKEN, merged_options
from codec.cli.options import UsageError
from codec.cli.text import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from codec.feeds import ConnectionSettings

__all__ = [
    "KEY_VARIABLE",
    "LiveOptions",
    "connection_of",
    "live_options",
    "place_text",
    "ssl_context_of",
    "token_of",
]


KEY_VARIABLE = "SHURIKEN_AGENT_KEY"
_PREFIXES = {"": "stork-fast", "aggregator": "stork-aggregator", "shuriken": "shuriken"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """The options, defaults filled in; the token never shows in the repr."""

    aggregator: bool = False
    shuriken: bool = False
    stream: list[tuple[str, dict[str, str]]] = field(default_factory=list)
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
    require: str | None = None
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
    prefix: str = ""
    segment_mb: float = 268.0
    segment_seconds: float = 3600.0
    plain: bool = False


def live_options(args: Namespace) -> LiveOptions:
    """The options of a command line. Raises UsageError; OSError for the file."""
    values = {k: v for k, v in merged_options(args).items() if v is not None}
    if "assets" in values:
        values["assets"] = frozenset().union(*values["assets"])
    if "symbol" in values:
        values["symbol"] = [name for names in values["symbol"] for name in names]
    feed = next((name for name in ("aggregator", "shuriken") if values.get(name)), "")
    variable = KEY_VARIABLE if feed == "shuriken" else "STORK_TOKEN"
    from_file = {"token", "token_file"} & values.keys()
    if getattr(args, "token_file", None) is None and os.environ.get(variable):
        for name in from_file:
            del values[name]
        values["token"] = os.environ[variable]
    values.setdefault("prefix", _PREFIXES[feed])
    return LiveOptions(**values)


def token_of(options: LiveOptions) -> str | Callable[[], str]:
    """The token, or what reads its file. Raises UsageError where there is none."""
    if options.token_file is None:
        if options.token is None:
            name = KEY_VARIABLE if options.shuriken else "STORK_TOKEN"
            raise UsageError(NO_TOKEN.replace("STORK_TOKEN", name))
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


def connection_of(options: LiveOptions) -> ConnectionSettings:
    """How to connect. Raises UsageError, and OSError for a file."""
    from codec.feeds import ConnectionSettings

    return ConnectionSettings(
        ssl_context=ssl_context_of(options),
        proxy=options.proxy,
        deflate=not options.no_deflate,
    )


def ssl_context_of(options: LiveOptions) -> ssl.SSLContext | None:
    """The certificates to trust; None: the system's. Errors as `connection_of`."""
    if options.ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=options.ca_file)
    except ssl.SSLError as error:
        raise UsageError(
            f"no certificates in {options.ca_file}: {error.reason}"
        ) from None


def place_text(url: str) -> str:
    """A URL without its parameters, and without what else might be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return printable(f"{parts.scheme}://{host}{parts.path}".encode(), 60)
