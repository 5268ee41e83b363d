"""The strict node refuses what geth refuses, in its words, and runs the real thing."""

from __future__ import annotations

from typing import Any

import pytest
import rlp
from anvil import Anvil, NodeRefused
from eth_account import Account
from strict_node import ETHER, StrictNode

import codec
from codec.chain import PAYLOAD, calldata

GWEI = 10**9
HOUR_NS = 3600 * 10**9
SIGNER = "0x" + "51" * 20


def signed(node: StrictNode, account: int = 0, **fields: Any) -> tuple[str, str]:
    """A raw transaction of an account, and its hash; a transfer unless it is said."""
    transaction: dict[str, Any] = {
        "chainId": node.chain_id,
        "nonce": 0,
        "gas": 21_000,
        "to": node.owner,
        "value": 1,
        "data": b"",
    }
    if "gasPrice" not in fields:
        transaction |= {"maxFeePerGas": 3 * GWEI, "maxPriorityFeePerGas": GWEI}
    signed = Account.sign_transaction(transaction | fields, node.accounts[account][1])
    return "0x" + signed.raw_transaction.hex(), "0x" + signed.hash.hex()


def send(node: StrictNode, account: int = 0, **fields: Any) -> str:
    raw, digest = signed(node, account, **fields)
    assert node.rpc("eth_sendRawTransaction", raw) == digest
    return digest


def refused(node: StrictNode, account: int = 0, **fields: Any) -> str:
    raw, _ = signed(node, account, **fields)
    with pytest.raises(NodeRefused) as caught:
        node.rpc("eth_sendRawTransaction", raw)
    assert caught.value.code == -32000
    return caught.value.message


def receipt(node: StrictNode, digest: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = node.rpc("eth_getTransactionReceipt", digest)
    return found


def test_transactions_wait_until_a_block_is_mined(strict: StrictNode) -> None:
    sender = strict.accounts[0][0]
    before = strict.balance(sender)
    digest = send(strict)
    waiting = strict.rpc("eth_getTransactionByHash", digest)
    assert waiting["blockHash"] is None and waiting["from"] == sender.lower()
    assert receipt(strict, digest) is None
    assert strict.nonce(sender) == 0 and strict.nonce(sender, "pending") == 1
    strict.mine()
    mined = receipt(strict, digest)
    assert mined is not None and mined["status"] == "0x1"
    block = strict.rpc("eth_getBlockByNumber", "latest", False)
    assert block["hash"] == mined["blockHash"] and block["transactions"] == [digest]
    price = int(block["baseFeePerGas"], 16) + GWEI
    assert int(mined["effectiveGasPrice"], 16) == price
    assert strict.balance(sender) == before - 21_000 * price - 1
    assert strict.nonce(sender) == strict.nonce(sender, "pending") == 1
    assert strict.rpc("eth_getBlockByHash", block["hash"], True)["transactions"] == [
        strict.rpc("eth_getTransactionByHash", digest)
    ]


def test_automining() -> None:
    with StrictNode(is_automining=True) as node:
        assert receipt(node, send(node)) is not None
        assert node.block_number() == 1


@pytest.mark.parametrize(
    ("max_fee", "tip", "is_taken"),
    [
        (1100, 110, True),
        (1099, 110, False),
        (1100, 109, False),
        (1005, 101, False),
        (2000, 100, False),
        (1000, 200, False),
        (2000, 200, True),
    ],
)
def test_a_replacement_needs_a_tenth_more_of_both(
    strict: StrictNode, max_fee: int, tip: int, is_taken: bool
) -> None:
    unit = GWEI // 100
    old = {"maxFeePerGas": 1000 * unit, "maxPriorityFeePerGas": 100 * unit}
    new = {"maxFeePerGas": max_fee * unit, "maxPriorityFeePerGas": tip * unit}
    first = send(strict, **old)
    if not is_taken:
        assert refused(strict, **new) == "replacement transaction underpriced"
        assert strict.rpc("eth_getTransactionByHash", first) is not None
        return
    second = send(strict, **new)
    assert strict.rpc("eth_getTransactionByHash", first) is None
    strict.mine()
    assert receipt(strict, second) is not None and receipt(strict, first) is None


def test_a_transaction_that_waits_is_known(strict: StrictNode) -> None:
    send(strict)
    assert refused(strict) == "already known"
    strict.mine()
    assert refused(strict) == "nonce too low: next nonce 1, tx nonce 0"


def test_gaps_wait(strict: StrictNode) -> None:
    sender = strict.accounts[0][0]
    digests = [send(strict, nonce=nonce) for nonce in (0, 2, 3)]
    assert strict.nonce(sender, "pending") == 1
    strict.mine()
    assert [receipt(strict, d) is not None for d in digests] == [True, False, False]
    send(strict, nonce=1)
    assert strict.nonce(sender, "pending") == 4
    strict.mine()
    assert all(receipt(strict, digest) for digest in digests)


def test_gas_below_what_the_data_costs(strict: StrictNode) -> None:
    data = b"\1" * 100 + bytes(10)
    needs = 21_000 + 1600 + 40
    assert (
        refused(strict, gas=needs - 1, data=data)
        == f"intrinsic gas too low: gas {needs - 1}, minimum needed {needs}"
    )
    floor = 21_000 + 4000 + 100
    assert (
        refused(strict, gas=needs, data=data)
        == "insufficient gas for floor data gas cost:"
        f" gas {needs}, minimum needed {floor}"
    )
    digest = send(strict, gas=floor, data=data)
    strict.mine()
    mined = receipt(strict, digest)
    assert mined is not None and int(mined["gasUsed"], 16) == floor


def test_funds(strict: StrictNode) -> None:
    sender = strict.accounts[0][0]
    cost = 21_000 * 3 * GWEI + 1
    strict.set_balance(sender, cost - 1)
    assert (
        refused(strict) == f"insufficient funds for gas * price + value: balance"
        f" {cost - 1}, tx cost {cost}, overshot 1"
    )
    strict.set_balance(sender, 2 * cost - 1)
    send(strict)
    assert (
        refused(strict, nonce=1) == "insufficient funds for gas * price + value:"
        f" balance {2 * cost - 1}, queued cost {cost}, tx cost {cost}, overshot 1"
    )
    strict.set_balance(sender, 0)
    strict.mine()
    assert strict.nonce(sender) == 0
    strict.set_balance(sender, cost)
    strict.mine()
    assert strict.nonce(sender) == 1


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"gas": 30_000_001, "maxFeePerGas": GWEI}, "exceeds block gas limit"),
        (
            {"maxPriorityFeePerGas": 4 * GWEI},
            "max priority fee per gas higher than max fee per gas",
        ),
        (
            {"maxPriorityFeePerGas": 0},
            "transaction underpriced: tip needed 1, tip permitted 0",
        ),
        (
            {"maxFeePerGas": 10**14},
            "tx fee (2.10 ether) exceeds the configured cap (1.00 ether)",
        ),
        (
            {"chainId": 5},
            "invalid sender: invalid chain id for signer: have 5 want 31337",
        ),
        (
            {"data": bytes(131_072), "gas": 10**7, "maxFeePerGas": GWEI},
            "oversized data: transaction size 131189, limit 131072",
        ),
        ({"gasPrice": 0}, "transaction underpriced: tip needed 1, tip permitted 0"),
    ],
)
def test_what_is_refused_for_itself(
    strict: StrictNode, fields: dict[str, Any], text: str
) -> None:
    assert refused(strict, **fields) == text


def test_signatures(strict: StrictNode) -> None:
    raw, _ = signed(strict)
    *fields, parity, r, s = rlp.decode(bytes.fromhex(raw[4:]))
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = (order - int.from_bytes(s, "big")).to_bytes(32, "big")
    other = b"" if parity else b"\1"
    unprotected = signed(strict, gasPrice=GWEI)[0]
    old = rlp.decode(bytes.fromhex(unprotected[2:]))
    old[6] = b"\x1b"
    for transaction, text in (
        (b"\2" + rlp.encode([*fields, other, r, high]), "invalid transaction v, r, s"),
        (b"\2" + rlp.encode([*fields, b"\2", r, s]), "invalid transaction v, r, s"),
        (rlp.encode(old), "only replay-protected"),
        (b"\2" + rlp.encode([b"\0", *fields[1:], parity, r, s]), "leading zero"),
        (b"\2" + rlp.encode(fields), "wrong number of elements"),
        (b"\5", "transaction type not supported"),
        (b"\2\xff", "rlp: "),
        (b"", "too short"),
    ):
        with pytest.raises(NodeRefused, match=text):
            strict.rpc("eth_sendRawTransaction", "0x" + transaction.hex())


def test_a_fee_below_the_base_fee_waits_or_is_refused() -> None:
    with StrictNode() as node:
        node.set_base_fee(10 * GWEI)
        digest = send(node)
        node.mine()
        assert receipt(node, digest) is None
        node.set_base_fee(2 * GWEI)
        node.mine()
        assert receipt(node, digest) is not None
    with StrictNode(refuses_below_base_fee=True) as node:
        node.set_base_fee(10 * GWEI)
        sender = node.accounts[0][0].lower()
        assert (
            refused(node) == "max fee per gas less than block base fee: address"
            f" {sender}, maxFeePerGas: {3 * GWEI}, baseFee: {10 * GWEI}"
        )


def base_fees(node: StrictNode) -> list[int]:
    history = node.rpc("eth_feeHistory", "0x400", "latest", [50])
    return [int(fee, 16) for fee in history["baseFeePerGas"]]


def test_the_base_fee_follows_from_how_full_blocks_are(strict: StrictNode) -> None:
    strict.mine(2)
    assert base_fees(strict) == [GWEI, 875 * 10**6, 765_625_000, 669_921_875]
    strict.set_base_fee(10 * GWEI)
    strict.mine()
    assert base_fees(strict)[-2:] == [10 * GWEI, 8_750_000_000]
    block = strict.rpc("eth_getBlockByNumber", "latest", False)
    assert int(block["baseFeePerGas"], 16) == 10 * GWEI
    assert int(strict.rpc("eth_gasPrice"), 16) == 11 * GWEI


def test_the_highest_tip_comes_first(strict: StrictNode) -> None:
    low = send(strict, 0)
    high = send(strict, 1, maxPriorityFeePerGas=2 * GWEI)
    strict.mine()
    block = strict.rpc("eth_getBlockByNumber", "latest", False)
    assert block["transactions"] == [high, low]


def test_before_london(strict_legacy: StrictNode) -> None:
    node = strict_legacy
    text = "transaction type not supported: type 2 rejected, pool not yet in London"
    assert refused(node) == text
    digest = send(node, gasPrice=GWEI)
    assert refused(node, gasPrice=109 * GWEI // 100) == (
        "replacement transaction underpriced"
    )
    node.mine()
    mined = receipt(node, digest)
    assert mined is not None and int(mined["effectiveGasPrice"], 16) == GWEI
    block = node.rpc("eth_getBlockByNumber", "latest", False)
    assert "baseFeePerGas" not in block
    with pytest.raises(NodeRefused, match="not valid before London"):
        node.rpc("eth_call", {"to": node.owner, "maxFeePerGas": "0x1"}, "latest")


def test_contracts_run_as_on_anvil(
    strict: StrictNode, chain: Anvil, consumer: str, signer_key: bytes, fee_wei: int
) -> None:
    signer = chain.call(chain.call(consumer, "verifier"), "signerAddress")
    verifier = strict.deploy("SingleSignerVerifier", signer, fee_wei)
    strict_consumer = strict.deploy("Consumer", verifier)
    for n_assets in (1, 20):
        payload = codec.encode(
            range(n_assets),
            range(n_assets),
            timestamp_ns=chain.now_ns(),
            taxonomy_id=1,
            key=signer_key,
        )
        arguments = (payload, HOUR_NS)
        there = strict.send(strict_consumer, "push", *arguments, wei=fee_wei)
        here = chain.send(consumer, "push", *arguments, wei=fee_wei)
        gas_there, gas_here = int(there["gasUsed"], 16), int(here["gasUsed"], 16)
        assert 0.9 * gas_here < gas_there <= gas_here
        assert strict.uses(strict_consumer, payload) == 1
        latest = strict.call(strict_consumer, "latest", n_assets - 1)
        assert latest == chain.call(consumer, "latest", n_assets - 1)


def test_calls_that_fail(strict: StrictNode, signer_key: bytes) -> None:
    verifier = strict.deploy("SingleSignerVerifier", SIGNER, 3)
    sender = strict.accounts[0][0]
    call = {"from": sender, "to": verifier, "data": "0x" + calldata(b"").hex()}
    for method in ("eth_call", "eth_estimateGas"):
        with pytest.raises(NodeRefused) as caught:
            strict.rpc(method, call, "latest")
        assert caught.value.code == 3
        assert caught.value.message == "execution reverted"
        assert caught.value.data == "0x025dbdd4"
        with pytest.raises(NodeRefused) as caught:
            strict.rpc(method, call | {"data": "0x12345678"}, "latest")
        assert (caught.value.code, caught.value.data) == (-32000, None)
        with pytest.raises(NodeRefused, match="insufficient funds for gas"):
            strict.rpc(method, call | {"value": hex(10**30)}, "latest")
        with pytest.raises(NodeRefused, match="max fee per gas less than block base"):
            strict.rpc(method, call | {"maxFeePerGas": "0x1"}, "latest")
        with pytest.raises(NodeRefused, match="both gasPrice and"):
            strict.rpc(method, call | {"maxFeePerGas": "0x1", "gasPrice": "0x1"}, "0x1")
    with pytest.raises(NodeRefused, match="out of gas"):
        strict.rpc("eth_call", call | {"gas": hex(21_500)}, "latest")
    with pytest.raises(NodeRefused, match="gas required exceeds allowance"):
        strict.rpc("eth_estimateGas", call | {"gas": hex(21_500)}, "latest")


def test_an_estimate_is_enough_and_not_much_more(
    strict: StrictNode, signer_key: bytes, fee_wei: int
) -> None:
    signer = Account.from_key(signer_key).address
    verifier = strict.deploy("SingleSignerVerifier", signer, fee_wei)
    consumer = strict.deploy("Consumer", verifier)
    payload = codec.encode(
        range(100), range(100), timestamp_ns=1, taxonomy_id=1, key=signer_key
    )
    data = calldata(payload, "push(bytes,uint64)", (PAYLOAD, 2**64 - 1))
    call = {
        "from": strict.accounts[0][0],
        "to": consumer,
        "data": "0x" + data.hex(),
        "value": hex(fee_wei),
    }
    gas = int(strict.rpc("eth_estimateGas", call), 16)
    fields = {"to": consumer, "data": data, "value": fee_wei}
    digest = send(strict, gas=gas, **fields)
    strict.mine()
    mined = receipt(strict, digest)
    assert mined is not None and mined["status"] == "0x1"
    assert int(mined["gasUsed"], 16) <= gas < 1.1 * int(mined["gasUsed"], 16)
    digest = send(strict, nonce=1, gas=150_000, **fields)
    strict.mine()
    failed = receipt(strict, digest)
    assert failed is not None and failed["status"] == "0x0"
    assert strict.uses(consumer, payload) == 1


def test_the_world_as_it_was(strict: StrictNode) -> None:
    """A call at an older block finds what was there then."""
    verifier = strict.deploy("SingleSignerVerifier", SIGNER, 3)
    at = strict.block_number()
    strict.send(verifier, "setFee", 9)
    fee = {"to": verifier, "data": "0x7e7ce368"}
    assert int(strict.rpc("eth_call", fee, hex(at)), 16) == 3
    assert int(strict.rpc("eth_call", fee, "latest"), 16) == 9
    assert strict.rpc("eth_getCode", verifier, hex(at - 1)) == "0x"
    with pytest.raises(NodeRefused, match="header not found"):
        strict.rpc("eth_call", fee, hex(at + 9))


@pytest.mark.parametrize("returns", [True, False])
def test_a_reorganisation(strict: StrictNode, returns: bool) -> None:
    sender = strict.accounts[0][0]
    strict.set_balance(sender, 77 * ETHER)
    digest = send(strict)
    strict.mine(2)
    before = [strict.rpc("eth_getBlockByNumber", hex(i), False) for i in range(3)]
    strict.reorg(2, returns=returns)
    after = [strict.rpc("eth_getBlockByNumber", hex(i), False) for i in range(3)]
    assert [a["hash"] == b["hash"] for a, b in zip(after, before, strict=True)] == [
        True,
        False,
        False,
    ]
    assert receipt(strict, digest) is None
    assert strict.nonce(sender) == 0 and strict.balance(sender) == 77 * ETHER
    assert (strict.rpc("eth_getTransactionByHash", digest) is not None) == returns
    strict.mine()
    assert (receipt(strict, digest) is not None) == returns


def test_a_forgotten_transaction_can_be_sent_again(strict: StrictNode) -> None:
    digest = send(strict)
    strict.drop(digest)
    assert strict.rpc("eth_getTransactionByHash", digest) is None
    assert strict.nonce(strict.accounts[0][0], "pending") == 0
    assert send(strict) == digest


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("eth_getBalance", ["0x12", "latest"], -32602),
        ("eth_getBalance", ["0x" + "11" * 20], -32602),
        ("eth_getBlockByNumber", ["0x01", False], -32602),
        ("eth_getBlockByNumber", ["5", False], -32602),
        ("eth_call", [{"value": "0x00"}, "latest"], -32602),
        ("eth_call", [{"data": "0x123"}, "latest"], -32602),
        ("eth_sendRawTransaction", ["1234"], -32602),
        ("eth_sendTransaction", [{}], -32601),
        ("evm_mine", [], -32601),
    ],
)
def test_requests_that_geth_would_not_take(
    strict: StrictNode, method: str, params: list[Any], code: int
) -> None:
    with pytest.raises(NodeRefused) as caught:
        strict.rpc(method, *params)
    assert caught.value.code == code
    assert strict.requests[-1] == method
