"""The node that the other tests stand on does what they expect of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from anvil import Anvil, NodeRefused

import codec

HOUR_NS = 3600 * 10**9


def payload_of(chain: Anvil, key: bytes, value: int = 7) -> bytes:
    return codec.encode(
        [1, 2], [value, -value], timestamp_ns=chain.now_ns(), taxonomy_id=1, key=key
    )


def test_a_consumer_keeps_the_newest_values_and_counts_uses(
    chain: Anvil, consumer: str, signer_key: bytes, fee_wei: int
) -> None:
    payload = payload_of(chain, signer_key)
    timestamp_ns = codec.decode_payloads(payload).messages["timestamp_ns"][0]
    for n in (1, 2):
        chain.send(consumer, "push", payload, HOUR_NS, wei=fee_wei)
        assert chain.uses(consumer, payload) == n
    assert chain.call(consumer, "latest", 1) == (timestamp_ns, 7)
    assert chain.call(consumer, "latest(uint16)", 2) == (timestamp_ns, -7)
    assert chain.call(consumer, "latest", 3) == (0, 0)
    chain.send(consumer, "pushRequest", (HOUR_NS, payload), wei=fee_wei)
    assert chain.call(consumer, "totalUses") == 3


@pytest.mark.parametrize("step", [1, 2])
def test_each_test_finds_the_chain_as_it_was(
    chain: Anvil, consumer: str, signer_key: bytes, fee_wei: int, step: int
) -> None:
    assert chain.call(consumer, "totalUses") == 0
    payload = payload_of(chain, signer_key, step)
    chain.send(consumer, "push", payload, HOUR_NS, wei=fee_wei)
    chain.set_automine(False)
    transfer = {"from": chain.accounts[0][0], "to": chain.owner, "value": "0x1"}
    chain.rpc("eth_sendTransaction", transfer)
    assert chain.nonce(chain.accounts[0][0], "pending") == 1


def test_mining_is_left_to_the_test_where_it_wants(chain: Anvil) -> None:
    sender = chain.accounts[0][0]
    chain.set_automine(False)
    before = chain.block_number()
    transfer = {"from": sender, "to": chain.owner, "value": "0x1"}
    digest = chain.rpc("eth_sendTransaction", transfer)
    assert chain.rpc("eth_getTransactionReceipt", digest) is None
    chain.mine(2)
    assert chain.rpc("eth_getTransactionReceipt", digest)["status"] == "0x1"
    assert chain.block_number() == before + 2


def test_a_reorganisation_takes_transactions_back(chain: Anvil) -> None:
    sender = chain.accounts[0][0]
    transfer = {"from": sender, "to": chain.owner, "value": "0x1", "data": "0x"}
    digest = chain.transact(**transfer)["transactionHash"]
    assert chain.nonce(sender) == 1
    before = chain.block_number()
    chain.reorg(1)
    assert chain.rpc("eth_getTransactionReceipt", digest) is None
    assert chain.nonce(sender) == 0
    assert chain.block_number() == before


@pytest.mark.parametrize("keeps_state", [True, False])
def test_a_node_that_comes_back(tmp_path: Path, keeps_state: bool) -> None:
    state = tmp_path / "state.json" if keeps_state else None
    with Anvil(state=state) as node:
        address = node.deploy("SingleSignerVerifier", node.owner, 5)
        url = node.url
        node.restart()
        assert node.url == url
        code = node.rpc("eth_getCode", address, "latest")
        assert (code != "0x") == keeps_state
        if keeps_state:
            assert node.call(address, "verificationFeeInWei") == 5


def test_the_owner_changes_fee_and_signers(
    chain: Anvil, verifier: str, multi_verifier: str
) -> None:
    for contract in (verifier, multi_verifier):
        chain.send(contract, "setFee", 9)
        assert chain.call(contract, "verificationFeeInWei") == 9
        with pytest.raises(NodeRefused, match="revert"):
            chain.send(contract, "setFee", 1, sender=chain.accounts[0][0])
    chain.send(verifier, "setSigner", chain.owner)
    assert chain.call(verifier, "signerAddress") == chain.owner.lower()
    first, second = chain.call(multi_verifier, "getSignerAddresses")
    chain.send(multi_verifier, "setSigner", first, False)
    chain.send(multi_verifier, "setSigner", chain.owner, True)
    assert chain.call(multi_verifier, "getSignerAddresses") == (
        second,
        chain.owner.lower(),
    )
    assert chain.call(multi_verifier, "isValidSignerAddress", second)
    assert not chain.call(multi_verifier, "isValidSignerAddress", first)
    for i in range(6):
        chain.send(multi_verifier, "setSigner", chain.accounts[i][0], True)
    with pytest.raises(NodeRefused, match="revert"):
        chain.send(multi_verifier, "setSigner", chain.accounts[6][0], True)
