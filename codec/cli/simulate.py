"""`stork-codec simulate`: a server on loopback, until it is interrupted."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import os
import signal
import sys
from argparse import (
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    RawDescriptionHelpFormatter,
)
from typing import TYPE_CHECKING, Any

from codec.cli.options import UsageError, add_taxonomy, load_taxonomy, positive
from codec.cli.simulate_view import TOKEN, faults_text, welcome
from codec.simulator.faults import parse_fault

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Callable

    from codec.simulator import AggregatorSimulator, ShurikenSimulator, Simulator
    from codec.simulator.feed import ReplayServer

    AnySimulator = Simulator | AggregatorSimulator | ShurikenSimulator

__all__ = ["register", "run"]

_PORT = 8787
_LOOK_S = 0.05
_OF_AGGREGATOR = ("publishers", "period", "delta", "allow", "publish_auth")
_OF_SHURIKEN = ("rate", "socket_port", "wrapped")

_DESCRIPTION = """\
Serves a market of random walks as Stork Fast does, signed with a key of its
own, on a port of this machine: all channels, both message types and layouts,
subscriptions, compression, TLS, and GET /v1/taxonomy. With --aggregator it
serves, and takes, what Stork's aggregator does: /evm/subscribe, /evm/publish.
With --shuriken it is Shuriken's API, and the socket that sessions lead to.
"""
_EXAMPLES = """\
examples:
  stork-codec simulate
  stork-codec simulate --assets 100 --tls --fault cut=1000
  stork-codec simulate --fault status=503:3:2 --fault wrong_key=10
  stork-codec simulate --taxonomy taxonomy.json
  stork-codec simulate --flood
  stork-codec simulate --aggregator --publishers 5 --fault wrong_merkle_root=3
  stork-codec simulate --shuriken --rate 100 --fault expire=1000
"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "simulate",
        help="serve a market of its own as Stork Fast, its aggregator or Shuriken do",
        description=_DESCRIPTION,
        epilog=f"{faults_text()}\n{_EXAMPLES}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="where to listen; loopback by default")
    add("--port", default=_PORT, type=_number(0, 65535), help=f"0: any ({_PORT})")
    market = parser.add_mutually_exclusive_group()
    market.add_argument(
        "--assets",
        metavar="N",
        type=_number(1, 65535),
        help="the market has the ids 1 to N, or N names; by default those of"
        " Taxonomy.example()",
    )
    add_taxonomy(market, "or, it has these: ")
    add(
        "--token",
        help=f"what clients must have; by default STORK_TOKEN (with --shuriken"
        f" SHURIKEN_AGENT_KEY), or {TOKEN!r}",
    )
    add("--seed", default=0, type=_number(0, 2**63), metavar="N", help="of all chance")
    add("--tls", action="store_true", help="wss, with a certificate made now")
    add("--no-deflate", action="store_true", help="do not offer to compress")
    add(
        "--fault",
        action="append",
        default=[],
        dest="faults",
        metavar="NAME[=VALUE]",
        help="what is to go wrong, see below; may be given several times",
    )
    add(
        "--real-time-rate",
        metavar="HZ",
        type=positive,
        help="messages a second on real_time (100)",
    )
    add(
        "--flood",
        action="store_true",
        help="no ticks: prebuilt messages, as fast as each client reads",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--aggregator", action="store_true", help="serve it, not Stork Fast"
    )
    which.add_argument(
        "--shuriken", action="store_true", help="serve it, not Stork Fast"
    )
    _add_aggregator(parser)
    _add_shuriken(parser)
    parser.set_defaults(run=run)


def _add_aggregator(parser: ArgumentParser) -> None:
    """Adds what goes with `--aggregator` alone."""
    add = parser.add_argument_group("the aggregator").add_argument
    add(
        "--publishers",
        metavar="N",
        type=_number(0, 100),
        help="publishers of its own, for what nobody else publishes (3)",
    )
    add(
        "--period",
        metavar="S",
        type=positive,
        help="seconds from one clock update to the next (0.5)",
    )
    add(
        "--delta",
        metavar="PERCENT",
        type=positive,
        help="how much a price moves to be sent at once (0.1)",
    )
    add(
        "--allow",
        action="append",
        metavar="ADDRESS",
        help="a publisher that may publish, by default all; may be given several times",
    )
    add(
        "--publish-auth",
        choices=("either", "token", "signature", "both"),
        help="what publishers must have: the token, signed headers (either)",
    )


def _add_shuriken(parser: ArgumentParser) -> None:
    """Adds what goes with `--shuriken` alone."""
    add = parser.add_argument_group("Shuriken").add_argument
    add(
        "--rate",
        metavar="HZ",
        type=positive,
        help="events a second on each channel (10)",
    )
    add(
        "--socket-port",
        metavar="PORT",
        type=_number(0, 65535),
        help="the socket's, --port being the API's; 0: any (0)",
    )
    add(
        "--wrapped",
        action="store_true",
        default=None,
        help='answers of the API stand in {"data": ...}',
    )


def run(args: Namespace) -> int:
    """Serves until SIGINT or SIGTERM."""
    variable = "SHURIKEN_AGENT_KEY" if args.shuriken else "STORK_TOKEN"
    token = args.token or os.environ.get(variable) or TOKEN
    make: Callable[..., AnySimulator] = _fast
    if args.aggregator or args.shuriken:
        make = _aggregator if args.aggregator else _shuriken
    try:
        simulator = make(
            args,
            host=args.host,
            token=token,
            seed=args.seed,
            tls=args.tls,
            deflate=not args.no_deflate,
            ticks=not args.flood,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    for text in args.faults:
        try:
            name, value = parse_fault(text, type(simulator.faults))
            setattr(simulator.faults, name, value)
        except ValueError as error:
            raise UsageError(f"argument --fault: {error}") from None
    if not _is_loopback(args.host):
        print(
            f"warning: {args.host} is not loopback: others may reach this server",
            file=sys.stderr,
        )
    return asyncio.run(_serve(simulator, token, args))


def _fast(args: Namespace, **options: Any) -> Simulator:
    """Stork Fast's simulator. Raises ValueError for what it cannot be."""
    from codec.simulator import Simulator

    _refuse(args, "--aggregator", *_OF_AGGREGATOR)
    _refuse(args, "--shuriken", *_OF_SHURIKEN)
    if args.real_time_rate is not None:
        options["real_time_rate"] = args.real_time_rate
    return Simulator(
        port=args.port,
        taxonomy=load_taxonomy(args),
        assets=range(1, args.assets + 1) if args.assets else None,
        **options,
    )


def _aggregator(args: Namespace, **options: Any) -> AggregatorSimulator:
    """The aggregator's simulator. Raises ValueError for what it cannot be."""
    from codec.simulator import AggregatorSimulator

    _refuse(args, "Stork Fast", "taxonomy", "real_time_rate")
    _refuse(args, "--shuriken", *_OF_SHURIKEN)
    given = {
        "n_publishers": args.publishers,
        "clock_period": args.period,
        "delta_percent": args.delta,
        "allowed": args.allow,
        "publish_auth": args.publish_auth,
    }
    options |= {name: value for name, value in given.items() if value is not None}
    return AggregatorSimulator(port=args.port, assets=args.assets, **options)


def _shuriken(args: Namespace, **options: Any) -> ShurikenSimulator:
    """Shuriken's simulator. Raises ValueError for what it cannot be."""
    from codec.simulator import ShurikenSimulator

    _refuse(args, "Stork Fast", "taxonomy", "real_time_rate")
    _refuse(args, "Stork", "assets")
    _refuse(args, "--aggregator", *_OF_AGGREGATOR)
    given = {
        "rate": args.rate,
        "port": args.socket_port,
        "wrapped": args.wrapped,
    }
    options |= {name: value for name, value in given.items() if value is not None}
    return ShurikenSimulator(api_port=args.port, **options)


def _refuse(args: Namespace, whose: str, *names: str) -> None:
    for name in names:
        if getattr(args, name) is not None:
            option = name.replace("_", "-")
            raise UsageError(f"argument --{option}: goes with {whose} alone")


async def _serve(simulator: AnySimulator, token: str, args: Namespace) -> int:
    from codec.cli.background import log_loop_faults

    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    log_loop_faults()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    async with simulator:
        print(welcome(simulator, token), flush=True)
        flooding = asyncio.create_task(_flood(simulator)) if args.flood else None
        await end.wait()
        if flooding is not None:
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)
    n_sent = sum(connection.n_sent for connection in simulator.history)
    print(f"stopped: {len(simulator.history):,} connections, {n_sent:,} messages")
    return 0


async def _flood(simulator: ReplayServer[Any]) -> None:
    """Floods every connection that has subscribed."""
    async with asyncio.TaskGroup() as tasks:
        flooded: set[Any] = set()
        while True:
            flooded &= set(simulator.connections)
            connections: list[Any] = list(simulator.connections)
            for connection in connections:
                if connection.subscribed and connection not in flooded:
                    flooded.add(connection)
                    tasks.create_task(simulator.flood(connection, seconds=math.inf))
            await asyncio.sleep(_LOOK_S)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) < 20:
            number = int(text)
            if least <= number <= most:
                return number
        raise ArgumentTypeError(
            f"a number from {least} to {most} is needed, not {text[:50]!r}"
        )

    return read
