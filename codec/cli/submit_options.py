"""The options of `stork-codec submit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codec.cli.key_options import read_name, read_place, refuse
from codec.cli.options import read_assets
from codec.cli.submit_values import (
    read_address,
    read_band,
    read_count,
    read_ether,
    read_gwei,
    read_seconds,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["NO_KEY", "add_submit_options"]

NO_KEY = """\
keys and passwords are never taken as arguments, which every user of this machine can
read. Give a key in one of these ways:
  --key-file FILE      hex digits and nothing else, readable by its owner alone
  --key-env NAME       the name of an environment variable
  --keystore FILE      as eth-account and geth write it, with --password-file FILE"""


def add_submit_options(parser: ArgumentParser) -> None:
    """Adds the payload, and every option."""
    parser.add_argument(
        "payload",
        metavar="PAYLOAD|FILE|-",
        help="hex digits with or without 0x, a JSON frame, a file with one of these or"
        " with raw bytes, or - for standard input",
    )
    _add_node(parser)
    _add_target(parser)
    _add_key(parser)
    _add_checks(parser)
    _add_limits(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would happen"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _add_node(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the chain")
    group.add_argument(
        "--rpc",
        action="append",
        default=[],
        metavar="URL",
        help="a node's JSON-RPC; may be given several times, the others are for when"
        " one fails",
    )
    group.add_argument(
        "--rpc-env",
        metavar="NAME",
        type=read_name,
        help="the URLs are in this environment variable: they often hold API keys",
    )
    group.add_argument("--rpc-file", metavar="FILE", help="the URLs are in this file")
    group.add_argument(
        "--chain-id",
        metavar="N",
        type=read_count,
        required=True,
        help="nodes of any other chain are refused",
    )


def _add_target(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the contract")
    group.add_argument(
        "--contract", metavar="0x...", type=read_address, required=True, help="called"
    )
    group.add_argument(
        "--verifier",
        metavar="0x...",
        type=read_address,
        help="Stork's contract, where the one that is called is a consumer of it",
    )
    group.add_argument(
        "--function",
        metavar="F",
        help='as "push(bytes,uint64)"; by default the verifier\'s'
        " verifyAndDeserializeSignedECDSAPayload(bytes)",
    )
    group.add_argument(
        "--arg",
        action="append",
        default=[],
        dest="arguments",
        metavar="VALUE",
        help="one for each argument of the function, in order: the word payload, a"
        " number (--arg=-5), true, 0x..., text; JSON for arrays and tuples. Not needed"
        " where the payload is the only one",
    )
    group.add_argument(
        "--abi",
        action="append",
        default=[],
        metavar="FILE",
        help="JSON with the contract's errors, which are then told by name",
    )


def _add_key(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the account")
    sources = group.add_mutually_exclusive_group()
    for name, metavar, read, text in (
        ("--key-file", "FILE", read_place, "the private key is in this file"),
        ("--key-env", "NAME", read_name, "it is in this environment variable"),
        ("--keystore", "FILE", read_place, "it is in this encrypted keystore"),
    ):
        sources.add_argument(name, metavar=metavar, type=read, help=text)
    sources.add_argument(
        "--from",
        dest="sender",
        metavar="0x...",
        type=read_address,
        help="without a key: the address alone, for --dry-run",
    )
    group.add_argument("--password-file", metavar="FILE", help="for --keystore")
    refuse(parser, ("--key", "--private-key", "--password"), NO_KEY)


def _add_checks(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("what the payload has to be, besides well signed")
    group.add_argument(
        "--max-age", metavar="TIME", type=read_seconds, help="no older, as 10s or 500ms"
    )
    group.add_argument(
        "--max-ahead",
        default=5.0,
        metavar="TIME",
        type=read_seconds,
        help="not further ahead of this machine's clock (5s)",
    )
    group.add_argument(
        "--asset",
        action="append",
        default=[],
        dest="assets",
        metavar="IDS",
        type=read_assets,
        help="with these assets in it, as 1,2,10-20; may be given several times",
    )
    group.add_argument(
        "--band",
        action="append",
        default=[],
        dest="bands",
        metavar="ID=LOW..HIGH",
        type=read_band,
        help="with an asset's value within these, as 3=60000..70000",
    )


def _add_limits(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("what the transaction may cost, and take")
    group.add_argument(
        "--max-fee-gwei",
        metavar="N",
        type=read_gwei,
        help="a unit of gas, tip included",
    )
    group.add_argument(
        "--max-cost-ether", metavar="N", type=read_ether, help="all of it, with the fee"
    )
    group.add_argument(
        "--confirmations",
        default=1,
        metavar="N",
        type=read_count,
        help="blocks that have to stand on it, its own among them (1)",
    )
    group.add_argument(
        "--deadline",
        default=600.0,
        metavar="TIME",
        type=read_seconds,
        help="how long it is waited for (10m)",
    )
