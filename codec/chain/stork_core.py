"""What a contract of Stork Core keeps, asks for, and says of signatures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from eth_abi.abi import default_codec
from eth_abi.exceptions import DecodingError

from codec.addresses import checksum_address, read_signers
from codec.api import as_int
from codec.chain.aggregator import UPDATE_FEE, PriceUpdates, asset_id, shown_name
from codec.chain.calldata import selector
from codec.chain.reverts import revert_of
from codec.chain.verifier import Cached
from codec.errors import ChainError, RevertedError, RpcError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from codec.addresses import Address
    from codec.aggregator import AggregatorBatch
    from codec.chain.rpc import Rpc

__all__ = ["StoredValue", "StorkCore", "kept"]

VALUE: Final = "getTemporalNumericValueV1(bytes32)"
UNSAFE_VALUE: Final = "getTemporalNumericValueUnsafeV1(bytes32)"
UNSAFE_VALUES: Final = "getTemporalNumericValuesUnsafeV1(bytes32[])"
_PUBLISHER = "(address,string,uint64,uint256,bytes32,bytes32,uint8)"
VERIFY_PUBLISHERS: Final = f"verifyPublisherSignaturesV1({_PUBLISHER}[],bytes32)"
_PUBLIC_KEY = "storkPublicKey()"
_IS_SIGNER = "isSigningAddress(address)"
_STORED = "(uint64,int192)"
_SECOND = 10**9
_MAX_KEPT = 64  # answers about keys: strangers sign with as many as they like
_MAX_ANSWER_LEN = 64 << 10
_STORED_LEN = 64
_N_AT_ONCE = 16  # requests, where the contract can be asked for one id at a time


class _NotThere(ChainError):
    """The contract does not have a function."""


class StoredValue(NamedTuple):
    """What the contract has of an asset. value: exact, scaled by 10^18."""

    timestamp_ns: int
    value: int


class StorkCore:
    """A contract with the interface of Stork Core on EVM chains.

    rpc: not closed by this. address: the contract's. refresh_s: how old an answer about
    its signers may be that is given again.

    Every method raises the errors of `Rpc`, RevertedError for a call that reverts, by
    the error's name (`NotFound`, `StaleValue`, ...), and ChainError where what answers
    is none of these contracts. Raises SignatureError for an address that is none.
    """

    def __init__(self, rpc: Rpc, address: str, *, refresh_s: float = 300.0) -> None:
        self.address = checksum_address(read_signers(address)[0])
        self.rpc = rpc
        self._refresh_s = refresh_s
        self._public_key = Cached(self._read_public_key, refresh_s)
        self._further: dict[str, Cached[bool]] = {}

    def __repr__(self) -> str:
        return f"<StorkCore {self.address}>"

    def renew(self) -> None:
        """Makes what belongs to an event loop, for the one that comes next."""
        self._public_key.lock = asyncio.Lock()
        for cached in self._further.values():
            cached.lock = asyncio.Lock()

    async def update_fee_wei(self, updates: PriceUpdates) -> int:
        """What has to be sent with the updates, if all are newer than what is kept.

        For less of them less would do, but what is paid beyond that stays there.
        """
        return int(await self._ask(UPDATE_FEE, "uint256", updates.fee_calldata()))

    async def value(self, asset: str | bytes) -> StoredValue:
        """The newest value of an asset (its name, or its id as 32 bytes or 0x...).

        Raises RevertedError: `NotFound` where there is none, `StaleValue` where it is
        older than the contract allows.
        """
        return await self._value(VALUE, asset)

    async def unsafe_value(self, asset: str | bytes) -> StoredValue:
        """The same, however old it is."""
        return await self._value(UNSAFE_VALUE, asset)

    async def stored_timestamps(
        self, assets: Sequence[str | bytes]
    ) -> NDArray[np.uint64]:
        """Of what the contract has of assets, in ns, shape (n,); 0 where it has none.

        One request, if the contract can look for many and has all of them; else one for
        each.
        """
        ids = [asset_id(asset) for asset in assets]
        found = await self._all_values(ids) if len(ids) > 1 else None
        if found is None:
            gate = asyncio.Semaphore(_N_AT_ONCE)
            found = await asyncio.gather(*(self._timestamp(i, gate) for i in ids))
        return np.array(found, np.uint64)

    async def fresh(self, updates: PriceUpdates) -> PriceUpdates:
        """Those of the updates that the contract would keep: it takes them in order."""
        return updates.select(kept(updates, await self.stored_timestamps(updates.ids)))

    async def verify_publishers(self, batch: AggregatorBatch, row: int) -> bool:
        """What `verifyPublisherSignaturesV1` says of an aggregate's publishers.

        False, too, where it reverts for a signature that is nobody's or has a high s.
        Raises ValueError for an aggregate without publishers.
        """
        signed, root = _publishers(batch, row)
        if not signed:
            symbol = shown_name(batch.symbol(row))
            raise ValueError(f"row {row}, {symbol}, has no publishers")
        data = default_codec.encode([f"{_PUBLISHER}[]", "bytes32"], [signed, root])
        data = selector(VERIFY_PUBLISHERS) + data
        try:
            return bool(await self._ask(VERIFY_PUBLISHERS, "bool", data))
        except RevertedError as error:
            if error.revert.name.startswith("ECDSAInvalidSignature"):
                return False
            raise

    async def is_signer(self, address: Address, *, refresh: bool = False) -> bool:
        """Whether the contract takes what a key signed.

        refresh: asks the contract, even if the last answer is young enough. Raises
        ChainError where it does not say.
        """
        text = checksum_address(read_signers(address)[0])
        if text == await self._public_key.get(refresh):
            return True
        if text not in self._further:
            if len(self._further) == _MAX_KEPT:
                self._further.clear()
            self._further[text] = Cached(
                lambda: self._read_is_signer(text), self._refresh_s
            )
        return await self._further[text].get(refresh)

    async def public_key(self, *, refresh: bool = False) -> str:
        """The address, with checksum, whose signatures it takes; it may have others."""
        return await self._public_key.get(refresh)

    async def _read_public_key(self) -> str:
        try:
            key = await self._ask(_PUBLIC_KEY, "address")
        except RevertedError as error:
            raise self._no_core(_PUBLIC_KEY) from error
        return checksum_address(read_signers(key)[0])

    async def _read_is_signer(self, address: str) -> bool:
        data = selector(_IS_SIGNER) + default_codec.encode(["address"], [address])
        try:
            return bool(await self._ask(_IS_SIGNER, "bool", data))
        except (RevertedError, _NotThere):
            return False  # it has one key alone

    async def _value(self, getter: str, asset: str | bytes) -> StoredValue:
        data = selector(getter) + asset_id(asset)
        return StoredValue(*await self._ask(getter, _STORED, data))

    async def _timestamp(self, asset: bytes, gate: asyncio.Semaphore) -> int:
        async with gate:
            try:
                return (await self.unsafe_value(asset)).timestamp_ns
            except RevertedError as error:
                if error.revert.name == "NotFound":
                    return 0
                raise

    async def _all_values(self, ids: list[bytes]) -> list[int] | None:
        """Timestamps by one call; None where it is not there, or one is not."""
        data = selector(UNSAFE_VALUES) + default_codec.encode(["bytes32[]"], [ids])
        try:
            found = await self._ask(
                UNSAFE_VALUES, f"{_STORED}[]", data, len(ids) * _STORED_LEN
            )
        except (RevertedError, _NotThere):
            return None
        if len(found) != len(ids):
            raise ChainError(
                f"{self.address}: the answer to {UNSAFE_VALUES} has {len(found):,}"
                f" values for {len(ids):,} ids"
            )
        return [timestamp_ns for timestamp_ns, _ in found]

    async def _ask(
        self, function: str, abi_type: str, data: bytes = b"", further_len: int = 0
    ) -> Any:
        """What a function returns. further_len: of what is long in the answer."""
        call = {"to": self.address, "data": data or selector(function)}
        try:
            answer = await self.rpc.eth_call(call)
        except RpcError as error:
            revert = revert_of(error)
            if revert is None:
                raise
            raise RevertedError(revert) from error
        if len(answer) > _MAX_ANSWER_LEN + further_len:
            raise ChainError(
                f"{self.address}: the answer to {function} has {len(answer):,} bytes"
            )
        try:
            return default_codec.decode([abi_type], answer)[0]
        except (DecodingError, OverflowError) as error:
            raise self._no_core(function.partition("(")[0]) from error

    def _no_core(self, what: str) -> _NotThere:
        return _NotThere(
            f"{self.address}: it has no {what}, so no contract of Stork Core is there"
        )


def kept(updates: PriceUpdates, stored: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which ones the contract keeps, that takes one after the other, shape (n,).

    stored: the timestamps of what it has of their assets, as `stored_timestamps` gives
    them.
    """
    newest = dict(zip(updates.ids, stored.tolist(), strict=True))
    is_kept = np.zeros(len(updates), np.bool_)
    rows = zip(updates.ids, updates.timestamps_ns.tolist(), strict=True)
    for row, (asset, timestamp_ns) in enumerate(rows):
        if timestamp_ns > newest[asset]:
            newest[asset] = timestamp_ns
            is_kept[row] = True
    return is_kept


def _publishers(batch: AggregatorBatch, row: int) -> tuple[list[Any], bytes]:
    """The arguments of `verifyPublisherSignaturesV1`."""
    aggregate = batch.aggregates[row]
    first = int(aggregate["first_publisher"])
    rows = slice(first, first + int(aggregate["publisher_count"]))
    prices, signatures = batch.publishers[rows], batch.publisher_signatures[rows]
    signed = [
        (
            checksum_address(price["publisher"]),
            batch.symbols[int(price["symbol"])],
            int(price["timestamp_ns"]) // _SECOND,
            value % 2**256,
            *(signature[name].tobytes() for name in ("r", "s")),
            int(signature["v"]),
        )
        for price, signature, value in zip(
            prices, signatures, as_int(prices["value"]), strict=True
        )
    ]
    root = batch.aggregate_signatures[row]["publisher_merkle_root"].tobytes()
    return signed, root
