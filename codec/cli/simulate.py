"""`stork-codec simulate`: a Stork Fast server on loopback, until it is interrupted."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import os
import signal
import sys
import textwrap
from argparse import (
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    RawDescriptionHelpFormatter,
)
from itertools import groupby
from typing import TYPE_CHECKING, Any

from codec.cli.options import UsageError, add_taxonomy, load_taxonomy, positive
from codec.simulator.faults import EVENTS, SWITCHES, parse_fault

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Callable

    from codec.simulator import Simulator, SimulatorConnection

__all__ = ["register", "run"]

_TOKEN = "simulator"
_PORT = 8787
_LOOK_S = 0.05
_MAX_RUNS = 8

_DESCRIPTION = """\
Serves a market of random walks as Stork Fast does, signed with a key of its
own, on a port of this machine: all channels, both message types and layouts,
subscriptions, compression, TLS, and GET /v1/taxonomy.
"""
_EXAMPLES = """\
examples:
  stork-codec simulate
  stork-codec simulate --assets 100 --tls --fault cut=1000
  stork-codec simulate --fault status=503:3:2 --fault wrong_key=10
  stork-codec simulate --taxonomy taxonomy.json
  stork-codec simulate --flood
"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "simulate",
        help="serve a market of its own as Stork Fast does",
        description=_DESCRIPTION,
        epilog=f"{_faults_text()}\n{_EXAMPLES}",
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
        help="the market has the ids 1 to N; 10, with the symbols of"
        " Taxonomy.example(), is the default",
    )
    add_taxonomy(market, "or, it has these: ")
    add(
        "--token",
        help=f"what clients must have; by default STORK_TOKEN, or {_TOKEN!r}",
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
        type=_fault,
        help="what is to go wrong, see below; may be given several times",
    )
    add(
        "--real-time-rate",
        default=100.0,
        metavar="HZ",
        type=positive,
        help="messages a second on real_time (100)",
    )
    add(
        "--flood",
        action="store_true",
        help="no ticks: prebuilt messages, as fast as each client reads",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Serves until SIGINT or SIGTERM."""
    from codec.simulator import Simulator

    token = args.token or os.environ.get("STORK_TOKEN") or _TOKEN
    taxonomy = load_taxonomy(args)
    try:
        simulator = Simulator(
            host=args.host,
            port=args.port,
            taxonomy=taxonomy,
            assets=range(1, args.assets + 1) if args.assets else None,
            token=token,
            seed=args.seed,
            tls=args.tls,
            deflate=not args.no_deflate,
            real_time_rate=args.real_time_rate,
            ticks=not args.flood,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    for name, value in args.faults:
        setattr(simulator.faults, name, value)
    if not _is_loopback(args.host):
        print(
            f"warning: {args.host} is not loopback: others may reach this server",
            file=sys.stderr,
        )
    return asyncio.run(_serve(simulator, token, args))


async def _serve(simulator: Simulator, token: str, args: Namespace) -> int:
    from codec.cli.background import log_loop_faults

    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    log_loop_faults()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    async with simulator:
        print(_welcome(simulator, token), flush=True)
        flooding = asyncio.create_task(_flood(simulator)) if args.flood else None
        await end.wait()
        if flooding is not None:
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)
    n_sent = sum(connection.n_sent for connection in simulator.history)
    print(f"stopped: {len(simulator.history):,} connections, {n_sent:,} messages")
    return 0


async def _flood(simulator: Simulator) -> None:
    """Floods every connection that has subscribed."""
    async with asyncio.TaskGroup() as tasks:
        flooded: set[SimulatorConnection] = set()
        while True:
            flooded &= set(simulator.connections)
            for connection in simulator.connections:
                if connection.subscribed and connection not in flooded:
                    flooded.add(connection)
                    tasks.create_task(simulator.flood(connection, seconds=math.inf))
            await asyncio.sleep(_LOOK_S)


def _welcome(simulator: Simulator, token: str) -> str:
    shown = _TOKEN if token == _TOKEN else "$STORK_TOKEN"
    ids = simulator.market.asset_ids.tolist()
    first = ",".join(map(str, ids[:4]))
    certificate = simulator.certificate
    trust = f" --ca {certificate}" if certificate else ""
    watch = f"stork-codec watch {simulator.url} --taxonomy {simulator.taxonomy_url}"
    watch += f" --signer {simulator.signer}"
    if token == _TOKEN:
        watch = f"STORK_TOKEN={token} {watch}"
    if certificate:
        watch += f" --ca-file {certificate}"
    return (
        f"url     {simulator.url}\n"
        f"signer  {simulator.signer}\n"
        f"assets  {_ids_text(ids)}\n"
        f"symbols {simulator.taxonomy_url}\n"
        f"watch   {watch}\n"
        "client  npx wscat -w 10"
        f' -c "{simulator.url}?channel=1s&message_type=signed_ecdsa"'
        f' -H "Authorization: Basic {shown}"'
        f' -x \'{{"type":"subscribe","assets":[{first}]}}\'{trust}\n'
        "Ctrl-C ends it."
    )


def _ids_text(ids: list[int]) -> str:
    """Ids as 1-10,12, and where they end where they are many."""
    # Ids that follow each other are as far from their places in the list.
    runs = [
        [i for _, i in run] for _, run in groupby(enumerate(ids), lambda x: x[1] - x[0])
    ]
    texts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    if len(texts) > _MAX_RUNS:
        texts = [*texts[:_MAX_RUNS], f"... {ids[-1]} ({len(ids):,} in all)"]
    return ",".join(texts)


def _faults_text() -> str:
    """All switches for the help."""
    lines = ["faults (docs/simulator.md has the values that each takes):"]
    for name, text in SWITCHES.items():
        indent = " " * 19
        lines += textwrap.wrap(f"  {name:<16} {text}", 79, subsequent_indent=indent)
    lines += [
        f"those up to {EVENTS[-1]} happen to the next connection, or with =N to",
        "each after N messages (bomb, oversize: =N:SIZE); others as =VALUE[:VALUE]",
        "",
    ]
    return "\n".join(lines)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fault(text: str) -> tuple[str, Any]:
    try:
        return parse_fault(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


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
