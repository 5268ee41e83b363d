"""What is made of heads and receipts, also of those that make no sense."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import pytest
from faulty import Faulty
from submitting import until

from codec.chain import Rpc
from codec.chain.answers import read_bytes
from codec.chain.fees import FeePolicy, quote
from codec.chain.reverts import revert_of
from codec.chain.siblings import Limits
from codec.chain.watching import Heads, look
from codec.errors import RpcError

HASH = "0x" + "ab" * 32
BLOCK = {"number": "0x5", "hash": "0x" + "05" * 32, "baseFeePerGas": "0x7"}
RECEIPT = {
    "transactionHash": HASH,
    "blockNumber": "0x5",
    "blockHash": BLOCK["hash"],
    "status": "0x1",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x7",
}
ENDLESS = "0x" + "f" * 20_000
NONSENSE = [None, 5, -5, 1.5, True, [], {}, "", "0x", "5", "-0x5", "0x-5", ENDLESS]


BAD_FIELDS = [
    (field, value)
    for field in BLOCK
    for value in NONSENSE
    if (field, value) != ("baseFeePerGas", None)  # as blocks of a legacy chain have it
]


@pytest.mark.parametrize(
    ("field", "value"), BAD_FIELDS, ids=lambda value: str(value)[:16]
)
def test_a_block_that_makes_no_sense_ends_no_watch(
    stub: Faulty, field: str, value: Any
) -> None:
    async def main() -> None:
        async with Rpc(stub.url, chain_id=31337) as rpc:
            heads = Heads(rpc, HASH[:42], Limits(poll_s=0.01), lambda _: None)
            watch = asyncio.create_task(heads.run())
            with heads:
                await until(lambda: stub.count("eth_getBlockByNumber") >= 2)
                assert heads.newest is None and not watch.done()
                stub.results["eth_getBlockByNumber"] = BLOCK
                await until(lambda: heads.newest)
            watch.cancel()

    stub.results["eth_getTransactionCount"] = "0x1"
    stub.results["eth_getBlockByNumber"] = BLOCK | {field: value}
    asyncio.run(main())


@pytest.mark.parametrize("field", RECEIPT)
@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: str(value)[:8])
def test_a_receipt_that_makes_no_sense_is_none(
    stub: Faulty, field: str, value: Any
) -> None:
    async def main() -> None:
        async with Rpc(stub.url, chain_id=31337) as rpc:
            facts = await look(rpc, [HASH])
            assert facts is not None and facts.known == {HASH}
            assert not facts.receipts or not value

    stub.results["eth_getTransactionReceipt"] = RECEIPT | {field: value}
    stub.results["eth_getTransactionByHash"] = {"hash": HASH}
    asyncio.run(main())


def test_another_transactions_receipt_says_nothing(stub: Faulty) -> None:
    async def main() -> None:
        async with Rpc(stub.url, chain_id=31337) as rpc:
            facts = await look(rpc, [HASH])
            assert facts is not None
            assert not facts.receipts and facts.known == {HASH}

    other = "0x" + "cd" * 32
    stub.results["eth_getTransactionReceipt"] = RECEIPT | {"transactionHash": other}
    stub.results["eth_getTransactionByHash"] = {"hash": HASH}
    asyncio.run(main())


def test_prices_of_any_size_are_quoted(stub: Faulty) -> None:
    async def main() -> None:
        async with Rpc(stub.url, chain_id=31337) as rpc:
            for tip in NONSENSE:
                stub.results["eth_maxPriorityFeePerGas"] = tip
                assert (await quote(rpc, FeePolicy())).tip_per_gas == 10**9
            for base_fee in (2**255, 2**256 - 1):
                stub.results["eth_getBlockByNumber"] = {"baseFeePerGas": hex(base_fee)}
                assert (await quote(rpc, FeePolicy())).per_gas >= base_fee

    stub.results["eth_getBlockByNumber"] = BLOCK
    asyncio.run(main())


def test_long_answers_take_no_more_memory_than_a_few_times_their_length() -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    text = "0x" + "ab" * (8 << 20)
    assert len(read_bytes(text)) == 8 << 20
    assert (
        revert_of(RpcError(3, "execution reverted", text, "eth_call", "")) is not None
    )
    used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) << 10
    assert used < 12 * len(text)
