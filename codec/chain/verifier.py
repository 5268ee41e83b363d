"""What a verifier's contract says of itself: its signers, its fee, its version."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from eth_abi.abi import default_codec
from eth_abi.exceptions import DecodingError

from codec.addresses import checksum_address, read_signers
from codec.chain.calldata import selector
from codec.chain.reverts import revert_of
from codec.errors import ChainError, RpcError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codec.chain.rpc import Rpc

__all__ = ["Cached", "Verifier"]

T = TypeVar("T")

_SIGNERS = "getSignerAddresses()"
_SIGNER = "signerAddress()"
_FEE = "verificationFeeInWei()"
_VERSION = "version()"
_MAX_ANSWER_LEN = 64 << 10


class Verifier:
    """A contract with the interface of Stork's, and one signer or several.

    rpc: not closed by this. address: the contract's. refresh_s: how old an answer may
    be that is given again.

    An answer is asked for once, however many wait for it. Every method raises the
    errors of `Rpc`, and ChainError where the contract does not answer as a verifier.
    Raises SignatureError for an address that is none.
    """

    def __init__(self, rpc: Rpc, address: str, *, refresh_s: float = 300.0) -> None:
        self.address = checksum_address(read_signers(address)[0])
        self._rpc = rpc
        self._signers = Cached(self._read_signers, refresh_s)
        self._fee = Cached(self._read_fee, refresh_s)
        self._version = Cached(self._read_version, refresh_s)

    def __repr__(self) -> str:
        return f"<Verifier {self.address}>"

    def renew(self) -> None:
        """Makes what belongs to an event loop, for the one that comes next."""
        for cached in (self._signers, self._fee, self._version):
            cached.lock = asyncio.Lock()

    async def signers(self, *, refresh: bool = False) -> tuple[str, ...]:
        """The addresses, with checksum, by which payloads may be signed; maybe none.

        refresh: asks the contract, even if the last answer is young enough.
        """
        return (await self._signers.get(refresh))[0]

    async def is_multi(self) -> bool:
        """Whether the contract is one that keeps several signers."""
        return (await self._signers.get(False))[1]

    async def fee_wei(self, *, refresh: bool = False) -> int:
        """What has to be sent with a payload at least. refresh: as in `signers`."""
        return await self._fee.get(refresh)

    async def version(self) -> str | None:
        """What the contract says; both kinds say "1.0.0". None where it says none."""
        return await self._version.get(False)

    async def _read_signers(self) -> tuple[tuple[str, ...], bool]:
        signers = await self._ask(_SIGNERS, "address[]")
        if signers is not None:
            return tuple(map(_checksummed, signers)), True
        signer = await self._ask(_SIGNER, "address")
        if signer is None:
            raise self._no_verifier(f"neither {_SIGNERS} nor {_SIGNER}")
        return (_checksummed(signer),), False

    async def _read_fee(self) -> int:
        fee = await self._ask(_FEE, "uint256")
        if fee is None:
            raise self._no_verifier(f"no {_FEE}")
        return int(fee)

    async def _read_version(self) -> str | None:
        version = await self._ask(_VERSION, "string")
        return None if version is None else str(version)

    async def _ask(self, getter: str, abi_type: str) -> Any:
        """What a getter returns; None where the contract does not have it."""
        call = {"to": self.address, "data": selector(getter)}
        try:
            answer = await self._rpc.eth_call(call)
        except RpcError as error:
            if revert_of(error) is None:
                raise
            return None
        if not answer:
            return None
        if len(answer) > _MAX_ANSWER_LEN:
            raise ChainError(
                f"{self.address}: the answer to {getter} has {len(answer):,} bytes"
            )
        try:
            return default_codec.decode([abi_type], answer)[0]
        except (DecodingError, UnicodeError, OverflowError) as error:
            raise ChainError(
                f"{self.address}: the answer to {getter} is no {abi_type}"
            ) from error

    def _no_verifier(self, what: str) -> ChainError:
        return ChainError(
            f"{self.address}: it has {what}, so no verifier is there, or no contract at"
            " all"
        )


class Cached(Generic[T]):
    """An answer that is asked for again when it is old."""

    def __init__(self, read: Callable[[], Awaitable[T]], refresh_s: float) -> None:
        self._read = read
        self._refresh_s = refresh_s
        self.lock = asyncio.Lock()
        self._asked = float("-inf")
        self._answer: list[T] = []

    async def get(self, refresh: bool) -> T:
        """The answer; one that was asked for after this call counts as refreshed."""
        called = time.monotonic()
        async with self.lock:
            oldest = called if refresh else time.monotonic() - self._refresh_s
            if not self._answer or self._asked < oldest:
                asked = time.monotonic()
                self._answer = [await self._read()]
                self._asked = asked
            return self._answer[0]


def _checksummed(address: str) -> str:
    return checksum_address(read_signers(address)[0])
