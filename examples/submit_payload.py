"""Submits a payload: submit_payload.py FILE RPC_URL CHAIN_ID PRICE_BOARD VERIFIER"""

import asyncio
import sys
from pathlib import Path

from codec.chain import Checks, Rpc, Submitter, Target, Wallet


async def main(path: str, url: str, chain_id: str, board: str, verifier: str) -> int:
    errors = ("TooOld(uint64 timestampNs)", "NothingNew()")
    target = Target(board, "update(bytes)", verifier=verifier, abi=errors)
    wallet = Wallet.from_env("SENDER_KEY")
    rpc = Rpc(url, chain_id=int(chain_id))
    checks = Checks(max_age_s=60)
    async with rpc, Submitter(rpc, wallet, target, checks=checks) as submitter:
        outcome = await submitter.send(Path(path).read_bytes())
    print(outcome.preflight or "", outcome, sep="\n\n")
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
