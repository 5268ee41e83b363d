"""What a submission costs on this machine: from a payload to its raw transaction."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any, cast

import codec
from bench.rows import Figure
from bench.workloads import KEYS
from codec.chain import Checks, FeePolicy, Target, Verifier, Wallet, preflight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.ratios import Inputs
    from codec.chain import Preflight, Rpc

__all__ = ["SubmissionPath", "chain_figures"]

SIZES = (1, 6, 100, 500)
_LIMITS = {"must": 3.0, "aim": 1.0}
_CHAIN_ID = 1
_GWEI = 10**9
_SIGNERS, _FEE = "0x914946aa", "0x7e7ce368"


class _Node:
    """Answers at once, as `Rpc` would have them from a node."""

    def __init__(self, signer: bytes) -> None:
        self._answers = {
            _SIGNERS: _words(32, 1, int.from_bytes(signer)),
            _FEE: _words(1),
        }

    def watch_code(self, address: str) -> None:
        """There is code."""

    async def block(self, _: str) -> dict[str, Any]:
        return {"baseFeePerGas": hex(30 * _GWEI), "number": "0x1"}

    async def balance(self, _: str) -> int:
        return 10**20

    async def estimate_gas(self, _: Mapping[str, object]) -> int:
        return 200_000

    async def eth_call(self, call: Mapping[str, Any], _: str = "latest") -> bytes:
        return self._answers.get("0x" + call["data"][:4].hex(), b"")

    async def call(self, method: str, *_: object) -> str:
        return hex(_GWEI)


class SubmissionPath:
    """Payloads of one size, all that is done with them before they are sent."""

    def __init__(self, n_assets: int) -> None:
        key = KEYS[0]
        signer = codec.keccak256(key.public_key.format(compressed=False)[1:])[12:]
        self.payload = codec.encode(
            range(n_assets),
            range(n_assets),
            timestamp_ns=time_ns(),
            taxonomy_id=1,
            key=key,
        )
        self._wallet = Wallet.from_key(b"\1" * 32)
        self._rpc = cast("Rpc", _Node(signer))
        verifier = "0x" + "11" * 20
        self._verifier = Verifier(self._rpc, verifier)
        self._target = Target("0x" + "22" * 20, "update(bytes)", verifier=verifier)
        self._checks = Checks(max_age_s=3600, assets=[0], bands={0: (0, 10**18)})
        self._policy = FeePolicy(max_fee_per_gas_wei=100 * _GWEI)
        self._nonce = 0

    async def judged(self) -> Preflight:
        """The payload's preflight."""
        return await preflight(
            self.payload,
            self._target,
            self._rpc,
            sender=self._wallet.address,
            verifier=self._verifier,
            checks=self._checks,
            policy=self._policy,
        )

    async def raw_transaction(self) -> tuple[bytes, bytes]:
        """The payload, judged and signed: the raw transaction, and its hash."""
        result = await self.judged()
        if not result.is_good or result.fees is None:
            raise AssertionError(result.text())
        self._nonce += 1
        return self._wallet.sign(
            {
                "chainId": _CHAIN_ID,
                "nonce": self._nonce,
                "to": result.target.address,
                "value": result.value_wei,
                "data": result.calldata,
                "gas": result.gas_limit,
                **result.fees.fields(),
            }
        )

    async def times_ms(self, n: int) -> list[float]:
        """How long each of n took, from the payload to the hash."""
        times = []
        await self.raw_transaction()
        for _ in range(n):
            begin = perf_counter_ns()
            await self.raw_transaction()
            times.append((perf_counter_ns() - begin) / 1e6)
        return times


def chain_figures(inputs: Inputs) -> Iterator[Figure]:
    """From a payload to its raw transaction, by assets a payload."""
    for n_assets in SIZES:
        path = SubmissionPath(n_assets)
        times = asyncio.run(path.times_ms(inputs.scale.n_calls))
        noun = "asset" if n_assets == 1 else "assets"
        yield Figure.from_all(
            f"{n_assets} {noun}: local checks with the signature, the node's answers"
            " (there at once), calldata, fees, signing by eth-account",
            "payload to raw transaction",
            "ms",
            times,
            **_LIMITS,
        )


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(32) for number in numbers)
