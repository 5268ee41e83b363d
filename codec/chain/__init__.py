"""Signed payloads and prices into transactions: judged before they cost, sent once.

Needs the extra `chain`: pip install 'stork-codec[chain]'.
"""

from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING

from codec.errors import MissingDependencyError as _MissingDependencyError

if not all(map(_find_spec, ("eth_abi", "eth_account", "httpx"))):
    raise _MissingDependencyError(
        "codec.chain needs the packages eth-abi, eth-account and httpx:"
        " pip install 'stork-codec[chain]'"
    )

from codec.chain.aggregator import PriceUpdate, PriceUpdates, price_updates
from codec.chain.blocking import BlockingSubmitter
from codec.chain.calldata import (
    PAYLOAD,
    VERIFY,
    VERIFY_AND_DESERIALIZE,
    Payload,
    Target,
    calldata,
    decode_assets,
    payload_bytes,
    selector,
)
from codec.chain.endpoints import EndpointState, EndpointStatus
from codec.chain.events import ChainEvent, ChainEventKind, ChainEvents
from codec.chain.fees import FeePolicy, Fees, bump, quote
from codec.chain.forecast import Forecast
from codec.chain.order import Order
from codec.chain.payload_order import PayloadOrder
from codec.chain.preflight import (
    Checks,
    Finding,
    Preflight,
    PreflightCode,
    preflight,
)
from codec.chain.push.budget import Budget
from codec.chain.push.rules import Rule, Rules
from codec.chain.reverts import Revert, decode_revert, revert_of
from codec.chain.rpc import Rpc
from codec.chain.stork_core import StoredValue, StorkCore
from codec.chain.submission import Outcome, Submission, SubmissionState
from codec.chain.submitter import Submitter
from codec.chain.update_order import UpdateOrder, UpdatePreflight
from codec.chain.verifier import Verifier
from codec.chain.wallet import Wallet

if TYPE_CHECKING:
    from codec.chain.push.pusher import Pusher

__all__ = [
    "PAYLOAD",
    "VERIFY",
    "VERIFY_AND_DESERIALIZE",
    "BlockingSubmitter",
    "Budget",
    "ChainEvent",
    "ChainEventKind",
    "ChainEvents",
    "Checks",
    "EndpointState",
    "EndpointStatus",
    "FeePolicy",
    "Fees",
    "Finding",
    "Forecast",
    "Order",
    "Outcome",
    "Payload",
    "PayloadOrder",
    "Preflight",
    "PreflightCode",
    "PriceUpdate",
    "PriceUpdates",
    "Pusher",
    "Revert",
    "Rpc",
    "Rule",
    "Rules",
    "StoredValue",
    "StorkCore",
    "Submission",
    "SubmissionState",
    "Submitter",
    "Target",
    "UpdateOrder",
    "UpdatePreflight",
    "Verifier",
    "Wallet",
    "bump",
    "calldata",
    "decode_assets",
    "decode_revert",
    "payload_bytes",
    "preflight",
    "price_updates",
    "quote",
    "revert_of",
    "selector",
]


def __getattr__(name: str) -> object:
    """Loads what needs a feed when it is first asked for."""
    if name != "Pusher":
        raise AttributeError(f"module 'codec.chain' has no attribute {name!r}")
    from codec.chain.push.pusher import Pusher

    return Pusher
