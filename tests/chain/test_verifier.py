"""What a verifier's contract says is asked for once, and again when it may differ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from anvil import Anvil, NodeRefused
from faulty import Faulty

import codec
from codec.chain import Rpc, Verifier

T = TypeVar("T")
# Answers every call with 32 bytes 0xFF.
GARBAGE = "0x7f" + "ff" * 32 + "5f5260205ff3"


def ask(node: Anvil, address: str, work: Callable[[Verifier, Rpc], Awaitable[T]]) -> T:
    """What the work gives, with a Verifier that keeps its answers for an hour."""

    async def run() -> T:
        async with Rpc(node.url, chain_id=node.chain_id) as rpc:
            return await work(Verifier(rpc, address, refresh_s=3600), rpc)

    return asyncio.run(run())


def n_requests(rpc: Rpc) -> int:
    return rpc.endpoints[0].n_requests


def test_both_kinds_of_contract_answer(
    anvil: Anvil, verifier: str, multi_verifier: str, fee_wei: int
) -> None:
    async def everything(verifier: Verifier, _: Rpc) -> object:
        return (
            await verifier.signers(),
            await verifier.is_multi(),
            await verifier.fee_wei(),
            await verifier.version(),
        )

    first, other = (
        codec.checksum_address(bytes.fromhex(address[2:]))
        for address in anvil.call(multi_verifier, "getSignerAddresses")
    )
    assert ask(anvil, verifier, everything) == ((first,), False, fee_wei, "1.0.0")
    assert ask(anvil, multi_verifier, everything) == (
        (first, other),
        True,
        fee_wei,
        "1.0.0",
    )


def test_an_answer_is_kept_until_a_refresh(chain: Anvil, verifier: str) -> None:
    new = chain.accounts[3][0]

    async def rotate(verifier: Verifier, rpc: Rpc) -> None:
        old = await verifier.signers()
        fee = await verifier.fee_wei()
        chain.send(verifier.address, "setSigner", new)
        chain.send(verifier.address, "setFee", fee + 1)
        before = n_requests(rpc)
        assert await verifier.signers() == old
        assert await verifier.fee_wei() == fee
        assert not await verifier.is_multi()
        assert n_requests(rpc) == before
        assert await verifier.signers(refresh=True) == (new,)
        assert await verifier.fee_wei(refresh=True) == fee + 1
        assert await verifier.signers() == (new,)

    ask(chain, verifier, rotate)


def test_an_old_answer_is_asked_for_again(chain: Anvil, multi_verifier: str) -> None:
    async def run() -> None:
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            verifier = Verifier(rpc, multi_verifier, refresh_s=0)
            for signer in await verifier.signers():
                chain.send(multi_verifier, "setSigner", signer, False)
            assert await verifier.signers() == ()
            assert await verifier.is_multi()

    asyncio.run(run())


def test_those_who_wait_share_an_answer(anvil: Anvil, multi_verifier: str) -> None:
    async def together(verifier: Verifier, rpc: Rpc) -> None:
        await verifier.version()
        before = n_requests(rpc)
        answers = await asyncio.gather(*(verifier.signers() for _ in range(20)))
        assert len(set(answers)) == 1
        assert n_requests(rpc) == before + 1
        await asyncio.gather(*(verifier.signers(refresh=True) for _ in range(20)))
        # The first one's, and one for those who came after it was asked.
        assert n_requests(rpc) == before + 3

    ask(anvil, multi_verifier, together)


def test_what_is_no_verifier_is_said(chain: Anvil, consumer: str) -> None:
    nobody, garbage = "0x" + "77" * 20, "0x" + "88" * 20
    chain.rpc("anvil_setCode", garbage, GARBAGE)
    for address in (consumer, nobody):
        with pytest.raises(codec.ChainError, match="neither getSignerAddresses"):
            ask(chain, address, lambda verifier, _: verifier.signers())
        with pytest.raises(codec.ChainError, match="no verificationFeeInWei"):
            ask(chain, address, lambda verifier, _: verifier.fee_wei())
        assert ask(chain, address, lambda verifier, _: verifier.version()) is None
    with pytest.raises(codec.ChainError, match=r"is no address\[\]"):
        ask(chain, garbage, lambda verifier, _: verifier.signers())
    with pytest.raises(codec.ChainError, match="is no string"):
        ask(chain, garbage, lambda verifier, _: verifier.version())
    assert ask(chain, garbage, lambda verifier, _: verifier.fee_wei()) == 2**256 - 1


def test_a_verifier_that_never_stops_is_none(stub: Faulty) -> None:
    words = [32, 5000, *range(5000)]
    stub.results["eth_call"] = "0x" + "".join(f"{word:064x}" for word in words)

    async def main() -> None:
        async with Rpc(stub.url, chain_id=31337) as rpc:
            await Verifier(rpc, "0x" + "77" * 20).signers()

    with pytest.raises(codec.ChainError, match="has 160,064 bytes"):
        asyncio.run(main())


def test_a_failure_is_not_kept(chain: Anvil, verifier: str) -> None:
    address = "0x" + "99" * 20

    async def later(verifier: Verifier, _: Rpc) -> int:
        with pytest.raises(codec.ChainError):
            await verifier.fee_wei()
        chain.rpc("anvil_setCode", address, GARBAGE)
        return await verifier.fee_wei()

    assert ask(chain, address, later) == 2**256 - 1


def test_an_address_that_is_none() -> None:
    with pytest.raises(codec.SignatureError):
        Verifier(Rpc("http://127.0.0.1:1", chain_id=1), "0x12")


def test_the_contracts_are_not_changed_by_strangers(
    chain: Anvil, multi_verifier: str
) -> None:
    stranger = chain.accounts[0][0]
    with pytest.raises(NodeRefused):
        chain.send(multi_verifier, "setSigner", stranger, True, sender=stranger)
    assert not chain.call(multi_verifier, "isValidSignerAddress", stranger)
