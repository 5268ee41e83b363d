"""`stork-codec publish`: prices from lines of text, signed, to an aggregator."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from argparse import RawDescriptionHelpFormatter
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from threading import Thread
from typing import TYPE_CHECKING

from codec import jsontext
from codec.cli.extras import require
from codec.cli.key_options import key_from, read_name, read_place, refuse
from codec.cli.options import UsageError, positive
from codec.errors import FeedError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from collections.abc import Iterator
    from threading import Event

    from codec.feeds import AggregatorPublisher

__all__ = ["register", "run"]

_EVERY_S = 10.0
_LOOK_S = 0.05
_MAX_SHOWN = 20  # faults of lines
_MAX_LINE_LEN = 4096
_READ_LEN = 64 << 10
_STDIN = 0

_DESCRIPTION = """\
Reads prices, one a line, `ASSET PRICE [UNIX_NS]` or a JSON object with `asset`,
`price` and maybe `timestamp` (ns), signs them and sends them to Stork's aggregator:
the newest price of each asset by the clock, and one that has changed by enough at
once. Prices are decimals, exact to the last of 18 digits behind the point. Without a
URL a simulated aggregator takes them, that it starts itself.
"""
_EXAMPLES = """\
The key comes from --key-file or --key-env, the token, if the server wants one, from
STORK_TOKEN; neither is ever an argument, and neither is ever shown.

exit status: 0, or 1 where a line was no price, or the server refused or did not get
all of them, 2 for wrong usage

examples:
  printf 'BTCUSD 97338.25\\nETHUSD 3415.5\\n' | stork-codec publish
  my-prices | stork-codec publish wss://api.jp.stork-oracle.network \\
      --oracle-id abcde --key-file publisher.key --delta 0.05
  stork-codec publish ws://127.0.0.1:8787 --oracle-id abcde --key-env KEY \\
      --input prices.txt --seconds 60
"""
_NO_KEY = """\
a key to sign with is needed, and it is never an argument, which every user of this
machine could read. Give it in one of these ways:
  --key-file FILE      hex digits and nothing else, readable by its owner alone
  --key-env NAME       the name of an environment variable"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "publish",
        help="sign prices, and send them to Stork's aggregator",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL", nargs="?", help="wss://host; without: a simulated one's")
    add("--input", metavar="FILE", help="where the prices are, if not standard input")
    add("--oracle-id", metavar="ID", help="Stork's name of the publisher: 5 characters")
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument(
        "--key-file", metavar="FILE", type=read_place, help="the key is in this file"
    )
    keys.add_argument(
        "--key-env",
        metavar="NAME",
        type=read_name,
        help="it is in this environment variable",
    )
    refuse(parser, ("--key", "--private-key"), _NO_KEY)
    add(
        "--authenticate",
        action="store_true",
        help="sign the handshake with the key as well",
    )
    add(
        "--clock",
        metavar="SECONDS",
        type=positive,
        default=0.5,
        help="send the newest price of every asset so often (0.5)",
    )
    add(
        "--delta",
        metavar="PERCENT",
        type=positive,
        default=0.1,
        help="send a price at once that has changed by more than this (0.1)",
    )
    add(
        "--every-update",
        action="store_true",
        help="send each price at once, however little it has changed",
    )
    add(
        "--seconds",
        metavar="N",
        type=positive,
        help="end after so many seconds; without: with the input",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Publishes until the input or the time ends, or a signal comes."""
    require("picows", "feeds")
    from codec.cli.background import until_signalled

    with ExitStack() as stack:
        end = stack.enter_context(until_signalled())
        stack.enter_context(_logged())
        fd = _STDIN
        if args.input is not None:
            fd = stack.enter_context(open(args.input, "rb")).fileno()
        publisher = stack.enter_context(_publisher(args))
        lines = _Lines(publisher)
        reading = Thread(target=lines.read, args=(fd, end), name="input", daemon=True)
        begin = time.monotonic()
        with publisher:
            print(f"publishing as 0x{publisher.address.hex()}", flush=True)
            reading.start()
            _wait(publisher, lines, end, begin, args.seconds)
            failure = publisher.failure
        print(_status(publisher, time.monotonic() - begin), flush=True)
        if failure is not None:
            raise failure
        stats = publisher.stats
    return 1 if lines.n_bad or stats.errors or stats.waiting else 0


@contextmanager
def _publisher(args: Namespace) -> Iterator[AggregatorPublisher]:
    """The publisher that the options ask for, not yet open; a simulated aggregator
    that it needs runs until the end of the `with`."""
    url = args.url
    with ExitStack() as stack:
        if url is None:
            from codec.cli.embedded import embedded
            from codec.simulator import AggregatorSimulator

            simulator = AggregatorSimulator(token=None)
            stack.enter_context(embedded(simulator))
            url = simulator.publish_url
        elif args.key_file is None and args.key_env is None:
            raise UsageError(_NO_KEY)
        elif args.oracle_id is None:
            raise UsageError("--oracle-id is needed: Stork's name of the publisher")
        yield _made(args, url)


def _made(args: Namespace, url: str) -> AggregatorPublisher:
    """The publisher itself; nobody but it has the key and the token then."""
    from codec.feeds import AggregatorPublisher

    key, token = key_from(args), os.environ.get("STORK_TOKEN") or None
    if args.url is None:
        key, token = key or os.urandom(32), None
    assert key is not None
    try:
        return AggregatorPublisher(
            url,
            token=token,
            key=key,
            oracle_id=args.oracle_id or "trial",
            clock_period=args.clock,
            delta_percent=args.delta,
            every_update=args.every_update,
            authenticate=args.authenticate,
        )
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from None
    finally:
        del key, token  # no traceback that shows variables has them


class _Lines:
    """Prices of a text, line by line, into a publisher. n_bad: lines that were none."""

    def __init__(self, publisher: AggregatorPublisher) -> None:
        self.n_bad = 0
        self.is_over = False
        self._publisher = publisher

    def read(self, fd: int, end: Event) -> None:
        """Reads until the text ends, or nothing can be sent any more."""
        try:
            for number, line in enumerate(_lines(fd), 1):
                if end.is_set():
                    return
                if line.strip():
                    self._publish(number, line)
        except FeedError:
            pass  # it is told by the publisher
        finally:
            self.is_over = True

    def _publish(self, number: int, line: bytes) -> None:
        try:
            self._publisher.publish(*_price(line))
        except (ValueError, TypeError) as error:
            self.n_bad += 1
            if self.n_bad <= _MAX_SHOWN:
                print(f"stork-codec: line {number}: {error}", file=sys.stderr)
            if self.n_bad == _MAX_SHOWN:
                print("stork-codec: no more of them are shown", file=sys.stderr)


def _lines(fd: int) -> Iterator[bytes]:
    """The lines of a file, of one that is too long only its beginning.

    By the system alone: Python's own input would be locked at the end of the process,
    where a thread is waiting for a line that does not come.
    """
    line = b""
    while text := os.read(fd, _READ_LEN):
        first, *rest = text.split(b"\n")
        line = (line + first)[: _MAX_LINE_LEN + 1]
        for following in rest:
            yield line
            line = following[: _MAX_LINE_LEN + 1]
    if line:
        yield line


def _price(line: bytes) -> tuple[str, Decimal | str, int | None]:
    """The asset, price and time of a line. Raises ValueError."""
    if len(line) > _MAX_LINE_LEN:
        raise ValueError(f"longer than {_MAX_LINE_LEN} bytes")
    text = line.decode().strip()
    if text.startswith("{"):
        return _json_price(text)
    words = text.split()
    if len(words) not in (2, 3):
        raise ValueError("ASSET PRICE [UNIX_NS] is expected")
    asset, price = words[:2]
    if words[2:] and not (words[2].isascii() and words[2].isdigit()):
        raise ValueError("a timestamp is unix nanoseconds")
    return asset, price, int(words[2]) if words[2:] else None


def _json_price(text: str) -> tuple[str, Decimal | str, int | None]:
    try:
        fields = jsontext.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise ValueError("no JSON object") from None
    asset, price, time_ns = (
        fields.get(name) for name in ("asset", "price", "timestamp")
    )
    if not isinstance(asset, str):
        raise ValueError("an object needs `asset`, a string")
    if type(price) is int:
        price = Decimal(price)
    if not isinstance(price, str | Decimal):
        raise ValueError("an object needs `price`, a decimal")
    if not (time_ns is None or type(time_ns) is int):
        raise ValueError("a timestamp is unix nanoseconds")
    return asset, price, time_ns


def _wait(
    publisher: AggregatorPublisher,
    lines: _Lines,
    end: Event,
    begin: float,
    seconds: float | None,
) -> None:
    """Until the time is over, or without one the input; says how it is meanwhile."""
    until = math.inf if seconds is None else begin + seconds
    told = begin
    while publisher.failure is None and not end.wait(_LOOK_S):
        now = time.monotonic()
        if now >= until or (seconds is None and lines.is_over):
            return
        if now - told >= _EVERY_S:
            told = now
            print(f"{publisher.state}  {_status(publisher, now - begin)}", flush=True)


def _status(publisher: AggregatorPublisher, took_s: float) -> str:
    stats = publisher.stats
    words = [
        f"{took_s:.1f} s",
        f"{stats.published:,} prices in",
        f"{stats.sent:,} sent",
        f"{stats.repeated:,} of them again",
        f"{stats.superseded:,} superseded",
        f"{stats.waiting:,} unsent",
        f"{stats.errors:,} refusals",
        f"{stats.reconnects:,} reconnections",
    ]
    return "  ".join(words)


@contextmanager
def _logged() -> Iterator[None]:
    """Has what happens to the connection on standard error."""
    from codec.cli.live import LiveOptions
    from codec.cli.logs import logging_to

    with logging_to(LiveOptions(), logging.StreamHandler()):
        yield
