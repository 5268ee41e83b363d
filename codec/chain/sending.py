"""What a node's answer to a raw transaction means: one function decides."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from codec.errors import ChainError, NodeError, RpcError, WrongChainError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["SendVerdict", "classify", "combine", "judge"]


class SendVerdict(StrEnum):
    """What became of a raw transaction that was handed to nodes.

    TAKEN: a node has it. NOT_SENT: it went to nobody. UNCLEAR: it may have reached
    somebody. All others are refusals: the node that says so did not take it.
    """

    TAKEN = "taken"
    NOT_SENT = "not_sent"
    UNCLEAR = "unclear"
    NONCE_TOO_LOW = "nonce_too_low"
    REPLACEMENT_UNDERPRICED = "replacement_underpriced"
    UNDERPRICED = "underpriced"
    FEE_BELOW_BASE = "fee_below_base"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    DEFINITELY_REFUSED = "definitely_refused"


# In this order: the first that is found in the text decides. The texts are those of
# geth, reth, anvil, erigon (words) and nethermind (names), besu (words of its own).
_TEXTS: tuple[tuple[SendVerdict, str], ...] = (
    (
        SendVerdict.TAKEN,
        r"already ?known|(?<!un)known ?transaction|already imported"
        r"|existing tx with same hash|already in (the )?(mem|tx)?pool",
    ),
    (
        SendVerdict.NONCE_TOO_LOW,
        r"nonce (is )?too low|old ?nonce|nonce too small|nonce has already been used"
        r"|nonce below current",
    ),
    (
        SendVerdict.REPLACEMENT_UNDERPRICED,
        r"replacement (transaction|tx) (is )?underpriced|replacement ?not ?allowed"
        r"|could not replace existing|own ?nonce ?already ?used"
        r"|another transaction with same nonce",
    ),
    (
        SendVerdict.FEE_BELOW_BASE,
        r"less than (the )?(block )?base ?fee|below (the )?(block |current )?base ?fee"
        r"|base ?fee exceeds gas ?limit|basefee too low",
    ),
    (
        SendVerdict.UNDERPRICED,
        r"underpriced|fee ?too ?low|gas price (is )?(too low|below)"
        r"|below configured minimum",
    ),
    (
        SendVerdict.INSUFFICIENT_FUNDS,
        r"insufficient ?(funds|balance)|exceeds (the )?(sender )?account balance"
        r"|would cause overdraft|(doesn't|does not) have enough funds"
        r"|balance too low|exceeds transaction sender account balance",
    ),
    (
        SendVerdict.DEFINITELY_REFUSED,
        r"intrinsic gas|floor data gas|exceeds (the )?block gas ?limit"
        r"|gas ?limit ?exceed|gas limit (is )?too high|exceeds allowance"
        r"|exceeds the configured cap|fee cap exceeded"
        r"|(invalid|wrong|incorrect|unsupported) ?(tx)? ?chain ?id"
        r"|invalid ?tx ?chain ?id|replay-protected|invalid sender|invalid ?signature"
        r"|invalid ?tx ?signature|(transaction )?type (is )?not supported"
        r"|not ?supported ?tx ?type|(invalid|unsupported|unknown) transaction type"
        r"|oversized data|rlp too long|max ?tx ?size ?exceeded"
        r"|priority fee.* (higher|exceeds|greater)|tip above fee cap"
        r"|sender (is )?not an eoa|sender ?is ?contract|not authorized to send"
        r"|negative value|gas uint64 overflow|int ?overflow|typed transaction too short"
        r"|rlp: |failed to decode|could not decode",
    ),
)
_PATTERNS = tuple((verdict, re.compile(text)) for verdict, text in _TEXTS)
_PRECEDENCE = (
    SendVerdict.TAKEN,
    SendVerdict.UNCLEAR,
    SendVerdict.NONCE_TOO_LOW,
    SendVerdict.REPLACEMENT_UNDERPRICED,
    SendVerdict.UNDERPRICED,
    SendVerdict.FEE_BELOW_BASE,
    SendVerdict.INSUFFICIENT_FUNDS,
    SendVerdict.DEFINITELY_REFUSED,
    SendVerdict.NOT_SENT,
)


def classify(error: ChainError) -> SendVerdict:
    """What an error of eth_sendRawTransaction says about the transaction.

    Only a text that is known to be a refusal counts as one. No usable answer, and an
    answer that is not known, are UNCLEAR: the transaction may be under way. A node
    of another chain, or one that rests, was not asked.
    """
    if isinstance(error, WrongChainError):
        return SendVerdict.NOT_SENT
    if isinstance(error, NodeError) and error.is_unsent:
        return SendVerdict.NOT_SENT
    if not isinstance(error, RpcError):
        return SendVerdict.UNCLEAR
    text = f"{error.message} {_words(error.data)}".lower()
    for verdict, pattern in _PATTERNS:
        if pattern.search(text):
            return verdict
    return SendVerdict.UNCLEAR


def _words(data: object) -> str:
    """What a node adds to an error in words; some have the reason only there."""
    if isinstance(data, str) and not data.startswith("0x"):
        return data
    if isinstance(data, dict):
        return " ".join(_words(data.get(key)) for key in ("message", "data", "reason"))
    return ""


def judge(answers: Sequence[object], expected_hash: str) -> tuple[SendVerdict, str]:
    """The verdict of all nodes that got a raw transaction, and what they said.

    answers: the hash, or the error, of each. A hash other than the expected one is no
    answer to this transaction.
    """
    verdicts, texts = [], []
    for answer in answers:
        if isinstance(answer, ChainError):
            verdicts.append(classify(answer))
            texts.append(str(answer))
        elif isinstance(answer, str) and answer.lower() == expected_hash.lower():
            verdicts.append(SendVerdict.TAKEN)
        else:
            verdicts.append(SendVerdict.UNCLEAR)
            texts.append("the node answered with another hash")
    return combine(verdicts), "; ".join(dict.fromkeys(texts))


def combine(verdicts: Iterable[SendVerdict]) -> SendVerdict:
    """One verdict for all nodes: taken by one is taken, and a doubt stays a doubt."""
    given = set(verdicts)
    return next((v for v in _PRECEDENCE if v in given), SendVerdict.NOT_SENT)
