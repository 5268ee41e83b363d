"""Calls to a real node that is killed, restarted, or is another than was meant."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import faulty as faults
import pytest
from anvil import Anvil
from faulty import Faulty

import codec
from codec import NodeError, RpcError, WrongChainError
from codec.chain import EndpointState, Rpc, Wallet

T = TypeVar("T")
SEND = {"eth_sendRawTransaction"}
pytestmark = pytest.mark.usefixtures("short_rests")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 120))


def transfer(chain: Anvil, i: int = 0) -> tuple[bytes, bytes]:
    """A signed transfer of the node's i-th account, and its hash."""
    address, key = chain.accounts[i]
    return Wallet.from_key(key).sign(
        {
            "type": 2,
            "chainId": chain.chain_id,
            "nonce": chain.nonce(address),
            "to": address,
            "value": 1,
            "gas": 21000,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 1,
        }
    )


def test_what_a_node_tells(chain: Anvil, verifier: str) -> None:
    async def main() -> None:
        address, _ = chain.accounts[0]
        raw, digest = transfer(chain)
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            rpc.watch_code(verifier)
            assert await rpc.block_number() == chain.block_number()
            assert await rpc.balance(address) == chain.balance(address)
            assert (await rpc.code(verifier))[:1] == b"\x60"
            assert await rpc.code(address) == b""
            assert await rpc.receipt(digest) is None
            assert await rpc.transaction(digest) is None
            before = await rpc.nonce(address)
            assert await rpc.send_raw(raw) == digest
            assert await rpc.nonce(address, "pending") == before + 1
            receipt = await rpc.receipt(digest)
            assert receipt is not None and receipt["status"] == "0x1"
            found = await rpc.transaction("0x" + digest.hex())
            assert found is not None and found["blockHash"] == receipt["blockHash"]
            block = await rpc.block(receipt["blockHash"])
            assert block == await rpc.block(await rpc.block_number())
            assert block == await rpc.block()
            assert await rpc.block(10**6) is None
            fee = codec.keccak256(b"verificationFeeInWei()")[:4]
            data = await rpc.eth_call({"to": verifier, "data": fee})
            assert int.from_bytes(data, "big") == chain.call(
                verifier, "verificationFeeInWei"
            )
            assert await rpc.estimate_gas({"to": address, "from": address}) == 21000
            with pytest.raises(RpcError) as caught:
                await rpc.eth_call({"to": verifier, "data": b"\x01\x02\x03\x04"})
            assert caught.value.code == 3
            with pytest.raises(RpcError, match="nonce too low"):
                await rpc.send_raw(raw)

    run(main())


def test_fifty_calls_at_once(chain: Anvil) -> None:
    async def main() -> None:
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            calls = [rpc.balance(address) for address, _ in chain.accounts] * 5
            assert set(await asyncio.gather(*calls)) <= {
                chain.balance(address) for address, _ in chain.accounts
            }
            (status,) = rpc.endpoints
            assert (status.state, status.n_failures) == (EndpointState.USABLE, 0)

    run(main())


def test_a_lost_answer_is_not_a_lost_transaction(chain: Anvil) -> None:
    async def main() -> None:
        raw, digest = transfer(chain)
        with Faulty(chain.url) as between:
            async with Rpc(between.url, chain_id=chain.chain_id, attempts=1) as rpc:
                between.will(faults.cut_after(), methods=SEND)
                with pytest.raises(NodeError):
                    await rpc.send_raw(raw)
                receipt = await rpc.receipt(digest)
                assert receipt is not None and receipt["status"] == "0x1"
                between.will(faults.cut_before(), methods=SEND)
                raw, digest = transfer(chain)
                with pytest.raises(NodeError):
                    await rpc.send_raw(raw)
                assert await rpc.transaction(digest) is None
                assert await rpc.send_raw(raw) == digest
            passed = [r.was_passed for r in between.requests if r.method in SEND]
            assert passed == [True, False, True]

    run(main())


def test_a_node_of_another_chain() -> None:
    async def main() -> None:
        with Anvil("--chain-id", "5") as node:
            async with Rpc(node.url, chain_id=31337) as rpc:
                with pytest.raises(WrongChainError, match="found chain 5"):
                    await rpc.send_raw(b"\x02")

    run(main())


def test_a_fresh_chain_behind_the_same_port_gets_no_transaction() -> None:
    async def main() -> None:
        with Anvil() as node:
            address, _ = node.accounts[0]
            node.rpc("anvil_setCode", address, "0x6001")
            async with Rpc(node.url, chain_id=node.chain_id) as rpc:
                rpc.watch_code(address)
                number = await rpc.block_number()
                node.restart()
                raw, digest = transfer(node, 1)
                with pytest.raises(WrongChainError) as caught:
                    await rpc.send_raw(raw)
                assert caught.value.expected == f"code at {address}"
                assert caught.value.found == "none"
                assert node.rpc("eth_getTransactionByHash", "0x" + digest.hex()) is None
                assert node.block_number() == number

    run(main())


def test_a_node_that_comes_back_is_used_again() -> None:
    async def main() -> None:
        with Anvil() as node:
            async with Rpc(node.url, chain_id=node.chain_id, attempts=999) as rpc:
                assert await rpc.block_number() == 0
                node.kill()
                call = asyncio.create_task(rpc.block_number())
                while rpc.endpoints[0].state is not EndpointState.FAILED:
                    await asyncio.sleep(0.001)
                await asyncio.to_thread(node.start)
                assert await call == 0
                kinds = [str(event.kind) for event in rpc.events]
                assert kinds[0] == "node_failed" and kinds[-1] == "node_back"

    run(main())


def test_another_node_stands_in(chain: Anvil) -> None:
    async def main() -> None:
        raw, digest = transfer(chain)
        with Faulty(chain.url) as between:
            urls = [between.url, chain.url]
            async with Rpc(urls, chain_id=chain.chain_id) as rpc:
                await rpc.block_number()
                between.stop()
                assert await rpc.send_raw(raw) == digest
                states = [status.state for status in rpc.endpoints]
                assert states == [EndpointState.FAILED, EndpointState.USABLE]
                receipts = await rpc.call_all("eth_getTransactionReceipt", digest)
                assert isinstance(receipts[0], NodeError)
                assert receipts[1]["status"] == "0x1"

    run(main())
