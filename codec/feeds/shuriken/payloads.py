"""Payloads of Shuriken's streams: JSON text into typed structs, nothing lost."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from codec.errors import PayloadError
from codec.feeds.shuriken.payloads_account import (
    AutomationUpdate,
    PortfolioNotification,
)
from codec.feeds.shuriken.payloads_alpha import (
    CallReference,
    FeedMessage,
    Message,
    SignalFeedUpdate,
)
from codec.feeds.shuriken.payloads_base import Misfit, Payload
from codec.feeds.shuriken.payloads_evm import (
    EvmNativeBalance,
    EvmPoolInfo,
    EvmSwap,
    EvmTokenBalance,
)
from codec.feeds.shuriken.payloads_json import read_object
from codec.feeds.shuriken.payloads_shapes import shape_of
from codec.feeds.shuriken.payloads_svm import (
    SvmBondingCurveCreation,
    SvmBondingCurveGraduation,
    SvmDistributionStats,
    SvmHolderStats,
    SvmNativeBalance,
    SvmPoolInfo,
    SvmSwap,
    SvmTokenBalance,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codec.feeds.shuriken.payloads_shapes import Shape

__all__ = ["STREAMS", "decode_payload", "payload_type", "read_payload"]

STREAMS: Final[Mapping[str, type[Payload]]] = MappingProxyType(
    {
        "svm.token.swaps": SvmSwap,
        "svm.token.poolInfo": SvmPoolInfo,
        "svm.token.balances": SvmTokenBalance,
        "svm.token.distributionStats": SvmDistributionStats,
        "svm.token.holderStats": SvmHolderStats,
        "svm.wallet.nativeBalance": SvmNativeBalance,
        "svm.wallet.tokenBalances": SvmTokenBalance,
        "svm.bondingCurve.creations": SvmBondingCurveCreation,
        "svm.bondingCurve.graduations": SvmBondingCurveGraduation,
        "evm.token.swaps": EvmSwap,
        "evm.token.poolInfo": EvmPoolInfo,
        "evm.token.balances": EvmTokenBalance,
        "evm.wallet.nativeBalance": EvmNativeBalance,
        "evm.wallet.tokenBalances": EvmTokenBalance,
        "alpha.signalFeedGlobal": SignalFeedUpdate,
        "alpha.signalFeedPersonal": SignalFeedUpdate,
        "alpha.signalFeedProfile": SignalFeedUpdate,
        "alpha.signalFeedNamed": SignalFeedUpdate,
        "alpha.personal": Message,
        "portfolio.notifications": PortfolioNotification,
        "automation.updates": AutomationUpdate,
    }
)
"""The streams that are known, and what comes on them in the main."""

# What else comes on a stream, by its field `type`.
_BY_TYPE: Mapping[str, Mapping[str, type[Payload]]] = {
    "alpha.signalFeedNamed": {"feedMessage": FeedMessage},
    "alpha.personal": {"feedMessage": FeedMessage, "callReference": CallReference},
}


class _Stream:
    """What comes on one stream: a shape, and others for certain values of `type`."""

    __slots__ = ("by_type", "shape")

    def __init__(self, name: str) -> None:
        self.shape = shape_of(STREAMS[name])
        self.by_type: dict[str, Shape] = {
            tag: shape_of(kind) for tag, kind in _BY_TYPE.get(name, {}).items()
        }

    def choose(self, value: dict[str, Any]) -> Shape:
        tag = value.get("type")
        return self.by_type.get(tag, self.shape) if isinstance(tag, str) else self.shape


_DOTTED = "alpha.signalFeed."  # alpha.signalFeed.global is alpha.signalFeedGlobal


def _canonical(stream: str) -> str:
    if stream.startswith(_DOTTED):
        rest = stream[len(_DOTTED) :]
        return f"{_DOTTED[:-1]}{rest[:1].upper()}{rest[1:]}"
    return stream


_streams = {name: _Stream(name) for name in STREAMS}
_streams |= {
    f"{_DOTTED}{name[len(_DOTTED) - 1 :].lower()}": _streams[name]
    for name in STREAMS
    if name.startswith(_DOTTED[:-1])
}


def payload_type(stream: str) -> type[Payload] | None:
    """What comes on a stream in the main, None where it is not known.

    Both `alpha.signalFeed.global` and `alpha.signalFeedGlobal` are.
    """
    return STREAMS.get(_canonical(stream))


def decode_payload(
    stream: str,
    text: str | bytes | dict[str, Any],
    *,
    schema_id: str | None = None,
) -> Payload | dict[str, Any]:
    """The payload of an event, exactly as it was sent.

    stream: its id, in either spelling. text: JSON; give the text where there is one, as
    a dict has lost the digits of its floats already. schema_id: what the session says
    of the payload, which counts where the stream is not known.

    Returns the stream's struct, with unknown fields in `extra`; a plain dict, with
    Decimals for numbers that have a fraction or an exponent, for a stream that is not
    known; a `Misfit`, which is such a dict and has a `problem`, where a field has the
    wrong type or is missing. Of a name that stands twice in an object the last counts.

    Raises PayloadError (a ValueError) for what is no JSON object, nests more than 200
    deep, or has numbers of more than 10^1000 or less than 10^-1000.
    """
    known = _streams.get(stream)
    if known is None and schema_id is not None:
        known = _streams.get(schema_id)
    if known is None:
        return read_object(stream, text)
    if not isinstance(text, dict) and not known.by_type:
        payload = known.shape.decode(text)
        if payload is not None:
            return payload
    value = read_object(stream, text)
    return known.choose(value).fit(value)


def read_payload(
    stream: str,
    text: str | bytes | dict[str, Any],
    *,
    schema_id: str | None = None,
) -> Payload | dict[str, Any]:
    """As `decode_payload`, with an empty Misfit for what that raises PayloadError for.

    For feeds, where no event may be lost; the text is in the event's `raw`.
    """
    try:
        return decode_payload(stream, text, schema_id=schema_id)
    except PayloadError as error:
        return Misfit({}, error.reason)
