"""What nodes answer to a raw transaction, in their own words."""

from __future__ import annotations

import pytest

from codec.chain.sending import SendVerdict, classify, combine, judge
from codec.errors import ChainError, NodeError, RpcError, WrongChainError

NODE = "http://node:8545"
# (verdict, the node's message, its data)
TEXTS: list[tuple[str, str, object]] = [
    # geth and what is made of it
    ("taken", "already known", None),
    ("nonce_too_low", "nonce too low: next nonce 5, tx nonce 3", None),
    ("nonce_too_low", "nonce too low: address 0x1, tx: 3 state: 5", None),
    ("replacement_underpriced", "replacement transaction underpriced", None),
    (
        "underpriced",
        "transaction underpriced: gas tip cap 0, minimum needed 1000000",
        None,
    ),
    (
        "insufficient_funds",
        "insufficient funds for gas * price + value: balance 0, tx cost 2, overshot 2",
        None,
    ),
    ("insufficient_funds", "transaction would cause overdraft", None),
    (
        "fee_below_base",
        "max fee per gas less than block base fee: maxFeePerGas: 1, baseFee: 7",
        None,
    ),
    (
        "definitely_refused",
        "intrinsic gas too low: gas 20000, minimum needed 21000",
        None,
    ),
    ("definitely_refused", "insufficient gas for floor data gas cost", None),
    ("definitely_refused", "exceeds block gas limit", None),
    ("definitely_refused", "invalid chain id for signer: have 1 want 5", None),
    (
        "definitely_refused",
        "transaction type not supported: type 2 rejected, pool not yet in London",
        None,
    ),
    (
        "definitely_refused",
        "only replay-protected (EIP-155) transactions allowed over RPC",
        None,
    ),
    (
        "definitely_refused",
        "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)",
        None,
    ),
    (
        "definitely_refused",
        "max priority fee per gas higher than max fee per gas",
        None,
    ),
    ("definitely_refused", "oversized data: transaction size 140000", None),
    ("unclear", "txpool is full", None),
    ("unclear", "future transaction tries to replace pending", None),
    ("unclear", "transaction indexing is in progress", None),
    # anvil, reth
    ("taken", "transaction already imported: 0x12", None),
    ("insufficient_funds", "Insufficient funds for gas * price + value", None),
    ("definitely_refused", "invalid chain ID", None),
    # nethermind
    ("taken", "AlreadyKnown", None),
    ("nonce_too_low", "OldNonce, Current nonce: 5, nonce of rejected tx: 3", None),
    ("replacement_underpriced", "ReplacementNotAllowed", None),
    (
        "underpriced",
        "FeeTooLow, EffectivePriorityFeePerGas too low 1 < 2, BaseFee: 7",
        None,
    ),
    (
        "insufficient_funds",
        "InsufficientFunds, Account balance: 0, cumulative cost: 5",
        None,
    ),
    ("definitely_refused", "GasLimitExceeded, Gas limit: 1", None),
    ("definitely_refused", "Invalid, InvalidTxChainId: Expected 1, got 5", None),
    ("definitely_refused", "SenderIsContract", None),
    ("unclear", "NonceGap, Future nonce. Expected nonce: 5", None),
    # erigon
    ("taken", "existing tx with same hash", None),
    ("replacement_underpriced", "could not replace existing tx", None),
    ("underpriced", "fee too low", None),
    ("definitely_refused", "RLP too long", None),
    # besu
    ("taken", "Known transaction", None),
    ("nonce_too_low", "Nonce too low", None),
    ("underpriced", "Gas price below configured minimum gas price", None),
    ("insufficient_funds", "Upfront cost exceeds account balance", None),
    ("definitely_refused", "Intrinsic gas exceeds gas limit", None),
    ("definitely_refused", "Wrong chainId", None),
    ("unclear", "Nonce too high", None),
    # the reason beside the message
    ("taken", "transaction rejected", "AlreadyKnown"),
    ("nonce_too_low", "rejected", {"message": "nonce too low"}),
    # not what it looks like
    ("definitely_refused", "unknown transaction type", None),
    ("unclear", "unknown transaction", None),
    ("unclear", "internal error", "0x6e6f6e636520746f6f206c6f77"),
    ("unclear", "", None),
]


@pytest.mark.parametrize(("verdict", "message", "data"), TEXTS, ids=lambda x: str(x))
def test_a_node_is_understood(verdict: str, message: str, data: object) -> None:
    error = RpcError(-32000, message, data, "eth_sendRawTransaction", NODE)
    assert classify(error) == verdict


@pytest.mark.parametrize(
    ("verdict", "error"),
    [
        ("unclear", NodeError(NODE, "the connection was lost", "m")),
        ("not_sent", NodeError(NODE, "no connection", "m", is_unsent=True)),
        ("not_sent", WrongChainError(NODE, "chain 1", "chain 5")),
        ("unclear", ChainError("the Rpc is closed")),
    ],
)
def test_no_answer_leaves_a_doubt_unless_nothing_was_sent(
    verdict: str, error: ChainError
) -> None:
    assert classify(error) == verdict


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ([], "not_sent"),
        (["not_sent", "nonce_too_low"], "nonce_too_low"),
        (["insufficient_funds", "taken"], "taken"),
        (["insufficient_funds", "unclear"], "unclear"),
        (["insufficient_funds", "nonce_too_low"], "nonce_too_low"),
        (["definitely_refused", "not_sent"], "definitely_refused"),
    ],
    ids=str,
)
def test_taken_by_one_is_taken_and_a_doubt_stays(
    verdicts: list[str], verdict: str
) -> None:
    assert combine(map(SendVerdict, verdicts)) == verdict


def test_the_nodes_are_judged_together_and_quoted() -> None:
    refused = RpcError(-32000, "intrinsic gas too low", None, "send", NODE)
    assert judge(["0xAB"], "0xab") == (SendVerdict.TAKEN, "")
    verdict, text = judge([refused, refused], "0xab")
    assert verdict is SendVerdict.DEFINITELY_REFUSED
    assert text == f"{NODE}: intrinsic gas too low [-32000, send]"
    verdict, text = judge(["0xcd"], "0xab")
    assert verdict is SendVerdict.UNCLEAR and "another hash" in text
