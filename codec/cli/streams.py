"""`stork-codec streams`: the catalogue of Shuriken's streams."""

from __future__ import annotations

import asyncio
import secrets
from argparse import RawDescriptionHelpFormatter
from contextlib import ExitStack
from typing import TYPE_CHECKING

from codec.cli.extras import require
from codec.cli.text import printable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

    from codec.feeds.shuriken import StreamInfo

__all__ = ["register", "run"]

_DESCRIPTION = """\
Lists the streams that Shuriken's API knows: their ids, whether they are public, and
the fields of their filters, those in brackets optional. Without a URL it asks a
simulator, that it starts itself.
"""
_EXAMPLES = """\
The agent key comes from SHURIKEN_AGENT_KEY, --token-file or the --config file; it is
never an argument, and never shown.

examples:
  stork-codec streams
  stork-codec streams https://api.shuriken.trade
"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    from codec.cli.config import add_request_options

    parser = subparsers.add_parser(
        "streams",
        help="list Shuriken's streams",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_request_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Prints the catalogue."""
    require("httpx", "shuriken")
    require("msgspec", "shuriken")
    from codec.cli.live import connection_of, live_options, token_of
    from codec.feeds.shuriken import ShurikenFeed

    args.shuriken = True
    options = live_options(args)
    with ExitStack() as stack:
        if options.url is None:
            from codec.cli.embedded import embedded
            from codec.simulator import ShurikenSimulator

            token = secrets.token_hex(16)
            simulator = ShurikenSimulator(token=token, ticks=False)
            stack.enter_context(embedded(simulator))
            url, key = simulator.base_url, token
        else:
            url, key = options.url, token_of(options)  # type: ignore[assignment]

        async def ask() -> list[StreamInfo]:
            feed = ShurikenFeed(key, url, connection=connection_of(options))
            try:
                return await feed.catalogue()
            finally:
                await feed.close()

        streams = asyncio.run(ask())
    rows = [("stream", "visibility", "filter"), *map(_row, streams)]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    return 0


def _row(stream: StreamInfo) -> tuple[str, str, str]:
    names = [
        field.name if field.required else f"[{field.name}]" for field in stream.filters
    ]
    texts = (stream.id, stream.visibility, " ".join(names) or "-")
    return tuple(printable(text.encode()) for text in texts)  # type: ignore[return-value]
