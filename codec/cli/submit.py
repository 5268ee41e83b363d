"""`stork-codec submit`: one payload into a transaction, or what would become of it."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING

from codec.cli.extras import require
from codec.cli.options import UsageError
from codec.cli.submit_options import NO_KEY, add_submit_options
from codec.cli.submit_values import read_arguments, read_errors, read_urls

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from codec.chain import Checks, FeePolicy, Rpc, Submission, Target, Wallet

__all__ = ["register", "run"]

_DESCRIPTION = """\
Sends one payload to a contract that verifies it, once everything that can be known
before it costs anything has been checked: the signature against the contract's
signers, the fee, the balance, and the call itself. With --dry-run, says what would
happen, and sends nothing.
"""
_EXAMPLES = """\
exit status: 0 where the transaction was mined and did what it is for (with --dry-run:
where it would), 1 where not, 2 for wrong usage

examples:
  stork-codec submit payload.bin --rpc http://127.0.0.1:8545 --chain-id 31337 \\
      --contract 0x... --from 0x... --dry-run
  stork-codec submit 0x435766ea... --rpc-env RPC_URL --chain-id 1 --contract 0x... \\
      --verifier 0x... --function "push(bytes,uint64)" --arg payload --arg 60000 \\
      --key-file key.hex --max-age 10s --max-fee-gwei 40
"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "submit",
        help="send one payload to a contract, or say what would become of it",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_submit_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Sends the payload, or says what would become of it; 1 where that is bad."""
    require("rich", "cli")
    from codec.cli.submit_view import log_on_stderr

    with log_on_stderr(logging.WARNING if args.dry_run else logging.INFO):
        return asyncio.run(_run(args))


async def _run(args: Namespace) -> int:
    from codec.chain import Rpc

    payload = read_payload(args.payload)
    target, checks, policy = _target(args), _checks(args), _policy(args)
    urls = read_urls(args.rpc, args.rpc_env, args.rpc_file)
    wallet = _wallet(args)
    sender = args.sender if wallet is None else wallet.address
    if wallet is None and not args.dry_run:
        raise UsageError(f"a key is needed, or --dry-run\n{NO_KEY}")
    if sender is None:
        raise UsageError("--dry-run needs an account: --from 0x..., or a key")
    try:
        rpc = Rpc(urls, chain_id=args.chain_id)
    except ValueError as error:
        raise UsageError(f"--rpc: {error}") from None
    async with rpc:
        if wallet is None or args.dry_run:
            dry = _dry_run(payload, target, rpc, sender, checks, policy, args.json)
            return await dry
        return await _send(payload, target, rpc, wallet, checks, policy, args)


async def _dry_run(
    payload: bytes | str,
    target: Target,
    rpc: Rpc,
    sender: str,
    checks: Checks,
    policy: FeePolicy,
    is_json: bool,
) -> int:
    from codec.chain import preflight
    from codec.cli.submit_view import show_preflight

    result = await preflight(
        payload, target, rpc, sender=sender, checks=checks, policy=policy
    )
    if is_json:
        print(json.dumps(result.as_dict(), indent=1))
    else:
        show_preflight(result)
    return 0 if result.is_good else 1


async def _send(
    payload: bytes | str,
    target: Target,
    rpc: Rpc,
    wallet: Wallet,
    checks: Checks,
    policy: FeePolicy,
    args: Namespace,
) -> int:
    from codec.chain import Submitter
    from codec.cli.submit_view import outcome_dict, show_outcome

    submitter = Submitter(
        rpc,
        wallet,
        target,
        policy=policy,
        checks=checks,
        confirmations=args.confirmations,
        deadline_s=args.deadline,
    )
    submission: Submission | None = None
    try:
        async with submitter:
            submission = submitter.submit(payload)
            await submission
    finally:  # interrupted, too: closing has given it an outcome
        outcome = None if submission is None else submission.outcome
        if outcome is not None and args.json:
            print(json.dumps(outcome_dict(outcome), indent=1))
        elif outcome is not None:
            show_outcome(outcome)
    return 0 if outcome is not None and outcome.is_good else 1


def read_payload(given: str) -> bytes | str:
    """The payload that an argument is, or names: raw bytes, or text of it.

    A file's and standard input's first line counts, a receive time before it or not.
    Raises OSError where they cannot be read.
    """
    from codec.cli.message import RECEIVE_TIME, is_binary, split_lines

    if given == "-":
        if sys.stdin is None:
            raise OSError(errno.EBADF, "there is no standard input")
        data = sys.stdin.buffer.read()
    elif not _looks_like_file(given):
        return given
    else:
        data = Path(given).read_bytes()
    if is_binary(data):
        return data
    line, _ = split_lines(data)
    prefix = RECEIVE_TIME.match(line)
    return line[prefix.end() if prefix else 0 :].decode()


def _looks_like_file(given: str) -> bool:
    """Whether it is one, or can be nothing else than the name of one."""
    try:
        if given and Path(given).exists():
            return True
    except (OSError, ValueError):  # too long, or with a NUL
        return False
    text = given.strip()
    is_hex = set(text) <= set("0123456789abcdefABCDEF")
    return not is_hex and not text.startswith(("{", "0x", "0X"))


def _target(args: Namespace) -> Target:
    from codec.chain import PAYLOAD, VERIFY_AND_DESERIALIZE, Target

    function = args.function or VERIFY_AND_DESERIALIZE
    arguments = read_arguments(function, args.arguments, PAYLOAD)
    try:
        return Target(
            args.contract, function, arguments, args.verifier, read_errors(args.abi)
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


def _checks(args: Namespace) -> Checks:
    from codec.chain import Checks

    return Checks(
        max_age_s=args.max_age,
        max_ahead_s=args.max_ahead,
        assets=sorted({asset for ids in args.assets for asset in ids}),
        bands=dict(args.bands),
    )


def _policy(args: Namespace) -> FeePolicy:
    from codec.chain import FeePolicy

    return FeePolicy(
        max_fee_per_gas_wei=args.max_fee_gwei, max_cost_wei=args.max_cost_ether
    )


def _wallet(args: Namespace) -> Wallet | None:
    from codec.chain import Wallet

    if args.password_file is not None and args.keystore is None:
        raise UsageError("--password-file is for --keystore")
    if args.key_file is not None:
        return Wallet.from_file(args.key_file)
    if args.key_env is not None:
        return Wallet.from_env(args.key_env)
    if args.keystore is None:
        return None
    if args.password_file is None:
        raise UsageError("--keystore needs --password-file")
    return Wallet.from_keystore(args.keystore, password_file=args.password_file)
