"""Our verdict is the chain's: every row of the parity table, on a real node."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from anvil import Anvil, NodeRefused, jsonrpc_all
from evm import Asset
from parity_cases import (
    ACCEPTED,
    BODY_DIGEST,
    GOOD,
    KEY,
    OVERFLOW,
    REFUSED,
    SIGNER,
    TOO_MANY,
    WRONG_LENGTH,
    S,
    expected_assets,
    payload_of,
    with_r,
    with_s,
)
from signed_payloads import N, address_of, changed, sign, word

import codec
from codec.chain import (
    VERIFY,
    VERIFY_AND_DESERIALIZE,
    Checks,
    Preflight,
    Rpc,
    Target,
    Verifier,
    calldata,
    decode_assets,
    decode_revert,
    preflight,
)

OTHER_KEY = bytes.fromhex("0dd5" * 16)
OTHER = address_of(OTHER_KEY)
FEE = 3
PLENTY = 10**12  # of gas: for 65,536 assets
CALLS_AT_ONCE = 50

Payloads = Mapping[str, bytes]
Verdict = tuple[str, "str | list[Asset]"]


def versioned(n_assets: int, key: bytes = KEY) -> bytes:
    """A payload of layout 2."""
    return codec.encode(
        range(n_assets),
        [10**18 + i for i in range(n_assets)],
        timestamp_ns=1,
        taxonomy_id=1,
        key=key,
        market_status=[1] * n_assets,
    )


def of_prices(n_assets: int) -> bytes:
    """A payload of layout 2 without market status."""
    body = b"\xff\x02\x00\x01" + payload_of(n_assets)[65:]
    return sign(codec.keccak256(body), KEY) + body


FITS = versioned(14)
TWO_READINGS = b"\xff\x02\x00\x03" + payload_of(15)[69:]
VERSIONED: dict[str, Payloads] = {
    "accepted": {
        **{f"{n} assets": versioned(n) for n in (14, 32, 50, 14 + 18 * 40)},
        "a body of both layouts": sign(codec.keccak256(TWO_READINGS), KEY)
        + TWO_READINGS,
    },
    "refused": {
        "high s": with_s(FITS, N - int.from_bytes(FITS[32:64], "big")),
        "another key": versioned(14, word(7)),
        "the other v": changed(FITS, 64, FITS[64] ^ 1),
        "r zero": with_r(FITS, 0),
        "s is n": with_s(FITS, N),
        "no such point": with_r(FITS, 5),
        "another version": changed(FITS, 66, 3),
        "an unknown mask": changed(FITS, 67, 1),
        **{f"v {v}": changed(FITS, 64, v) for v in (2, 27, 28, 228)},
        **{
            f"byte {i}": changed(FITS, i, FITS[i] ^ 1)
            for i in (*range(65, 100), len(FITS) - 1)
        },
    },
    "wrong length": {
        **{f"{n} assets": versioned(n) for n in range(40) if n % 18 != 14},
        **{f"{n} prices": of_prices(n) for n in range(40)},
        "v 255": changed(versioned(1), 64, 255),
    },
    "overflow": {f"v {v}": changed(FITS, 64, v) for v in (229, 255)},
}
FIRST: dict[str, Payloads] = {
    "accepted": ACCEPTED,
    "refused": {
        **REFUSED,
        "s just above n / 2": with_s(GOOD, N // 2 + 1),
        "negated s, same v": with_s(GOOD, N - S),
        "v 28 as on other chains": changed(GOOD, 64, 27 + GOOD[64]),
    },
    "wrong length": WRONG_LENGTH,
    "overflow": OVERFLOW,
    "too many": TOO_MANY,
}
TABLES = {"first layout": FIRST, "versioned layout": VERSIONED}
EXPECTED = {
    "refused": ("false", "InvalidSignature"),
    "wrong length": ("InvalidPayload", "InvalidPayload"),
    "overflow": ("Panic(0x11)", "Panic(0x11)"),
    "too many": ("true", "Panic(0x32)"),
}


@pytest.fixture(scope="module")
def vast() -> Iterator[Anvil]:
    """A node on which a block has gas for whatever a payload may need."""
    options = ["--gas-limit", str(PLENTY), "--memory-limit", str(2**32)]
    with Anvil(*options, "--base-fee", "0") as node:
        yield node


class Contract:
    """A verifier on chain, and how payloads are judged by it and by this package."""

    def __init__(self, node: Anvil, address: str, signers: list[bytes]) -> None:
        self.node = node
        self.address = address
        self.signers = signers

    def verdicts(self, payloads: Payloads, wei: int = FEE) -> dict[str, Verdict]:
        """What eth_call says of both functions."""
        functions = (VERIFY, VERIFY_AND_DESERIALIZE)
        datas = [calldata(p, f) for p in payloads.values() for f in functions]
        answers = iter(self._calls(datas, wei))
        return {name: (_bool(next(answers)), _list(next(answers))) for name in payloads}

    def _calls(self, datas: list[bytes], wei: int) -> list[Any]:
        calls = [
            {
                "from": self.node.owner,
                "to": self.address,
                "data": "0x" + data.hex(),
                "value": hex(wei),
                "gas": hex(PLENTY),
            }
            for data in datas
        ]
        requests = [("eth_call", call, "latest") for call in calls]
        return [
            answer
            for i in range(0, len(requests), CALLS_AT_ONCE)
            for answer in jsonrpc_all(self.node.url, requests[i : i + CALLS_AT_ONCE])
        ]

    def foreseen(self, payloads: Payloads) -> dict[str, Verdict]:
        """What a preflight of both functions says, before anything is sent."""

        async def judge() -> dict[str, Verdict]:
            async with Rpc(self.node.url, chain_id=self.node.chain_id) as rpc:
                verifier = Verifier(rpc, self.address)
                return {
                    name: (
                        await foresee(rpc, verifier, payload, VERIFY),
                        await foresee(rpc, verifier, payload, VERIFY_AND_DESERIALIZE),
                    )
                    for name, payload in payloads.items()
                }

        async def foresee(
            rpc: Rpc, verifier: Verifier, payload: bytes, function: str
        ) -> Any:
            target = Target(self.address, function)
            return _foreseen(
                payload,
                await preflight(
                    payload,
                    target,
                    rpc,
                    sender=self.node.owner,
                    verifier=verifier,
                    checks=Checks(max_ahead_s=None),
                ),
            )

        return asyncio.run(judge())

    def expected(self, payloads: Payloads) -> dict[str, Verdict]:
        """What this package says, with the chain's rules for length and v."""
        return {name: self._expected(payload) for name, payload in payloads.items()}

    def _expected(self, payload: bytes) -> Verdict:
        if len(payload) < 75 or (len(payload) - 75) % 18:
            return "InvalidPayload", "InvalidPayload"
        if payload[64] > 228:
            return "Panic(0x11)", "Panic(0x11)"
        if not self._is_signed(payload):
            return "false", "InvalidSignature"
        if (len(payload) - 75) // 18 > 65535:
            return "true", "Panic(0x32)"
        return "true", expected_assets(payload)

    def _is_signed(self, payload: bytes) -> bool:
        batch = codec.decode_payloads([payload], on_error="skip")
        if len(batch.messages):
            return bool(codec.verify(batch, self.signers)[0])
        # The contract does not know layouts: it judges what cannot be decoded as well.
        recovered = codec.recover_digests(
            np.frombuffer(codec.keccak256(payload[65:]), np.uint8).reshape(1, 32),
            np.frombuffer(payload[:65], np.uint8).reshape(1, 65),
        )
        is_recovered = not recovered["status"][0]
        return is_recovered and recovered["address"][0].tobytes() in self.signers


def _bool(answer: Any) -> str:
    if isinstance(answer, NodeRefused):
        return _name(answer)
    return {bytes(31) + b"\1": "true", bytes(32): "false"}[bytes.fromhex(answer[2:])]


def _list(answer: Any) -> str | list[Asset]:
    if isinstance(answer, NodeRefused):
        return _name(answer)
    return _assets(decode_assets(bytes.fromhex(answer[2:])))


def _assets(updates: np.ndarray) -> list[Asset]:
    columns = (
        updates["asset_id"].tolist(),
        updates["timestamp_ns"].tolist(),
        codec.as_int(updates).tolist(),
    )
    return [Asset(*row) for row in zip(*columns, strict=True)]


def _name(answer: NodeRefused) -> str:
    assert answer.code == 3, answer
    revert = decode_revert(answer.data)
    return f"Panic({revert.args[0]:#x})" if revert.name == "Panic" else revert.name


def _foreseen(payload: bytes, result: Preflight) -> str | list[Asset]:
    """A preflight's verdict as the contract would put it.

    What the contract would read otherwise is not sent, but would be taken.
    """
    fatal = [finding.code for finding in result.findings if finding.is_fatal]
    if "read_otherwise" in fatal:
        assert result.balance_wei is None and not result.is_good, result
        fatal.remove("read_otherwise")
        if not fatal:
            is_bare = result.target.is_bare_verify
            return "true" if is_bare else expected_assets(payload)
    if fatal:  # before it asked the chain
        assert result.balance_wei is None and result.revert is None, result
        outcomes = {
            "invalid_length": "InvalidPayload",
            "versioned_layout": "InvalidPayload",
            "v_overflow": "Panic(0x11)",
            "too_many_assets": "Panic(0x32)",
        }
        bad = "false" if result.target.is_bare_verify else "InvalidSignature"
        return outcomes.get(fatal[0], bad)
    assert result.is_good and result.gas is not None
    if isinstance(result.result, bool):
        return "true" if result.result else "false"
    assert result.result is not None
    return _assets(result.result)


@pytest.fixture(scope="module", params=["single signer", "several signers"])
def contract(vast: Anvil, request: pytest.FixtureRequest) -> Contract:
    """SIGNER's, and in the second case others' as well."""
    if request.param == "single signer":
        address = vast.deploy("SingleSignerVerifier", SIGNER, FEE)
        return Contract(vast, address, [SIGNER])
    signers = [address_of(word(i)) for i in range(1, 7)] + [SIGNER, OTHER]
    address = vast.deploy("MultiSignerVerifier", signers, FEE)
    return Contract(vast, address, signers)


@pytest.mark.parametrize("layout", TABLES)
def test_both_say_what_the_table_says(contract: Contract, layout: str) -> None:
    for row, payloads in TABLES[layout].items():
        on_chain = contract.verdicts(payloads)
        assert on_chain == contract.expected(payloads), row
        for name, verdict in on_chain.items():
            if row == "accepted":
                assert verdict == ("true", expected_assets(payloads[name])), name
            else:
                assert verdict == EXPECTED[row], name


@pytest.mark.parametrize("layout", TABLES)
def test_a_preflight_foresees_it(contract: Contract, layout: str) -> None:
    """What is refused is refused without the chain being asked about it."""
    for row, payloads in TABLES[layout].items():
        assert contract.foreseen(payloads) == contract.verdicts(payloads), row


@pytest.mark.parametrize("layout", TABLES)
@pytest.mark.parametrize("wei", [0, FEE - 1])
def test_the_fee_comes_first(contract: Contract, layout: str, wei: int) -> None:
    for payloads in TABLES[layout].values():
        verdicts = contract.verdicts(payloads, wei)
        assert set(verdicts.values()) == {("InsufficientFee", "InsufficientFee")}


def test_more_than_the_fee_is_taken(contract: Contract) -> None:
    for wei in (FEE + 1, 10**18):
        payloads = {"good": GOOD}
        assert contract.verdicts(payloads, wei) == contract.expected(payloads)


def test_every_signer_counts_and_no_other(contract: Contract) -> None:
    keys = [*map(word, range(1, 10)), KEY, OTHER_KEY]
    payloads = {key.hex(): payload_of(key=key) for key in keys}
    verdicts = contract.verdicts(payloads)
    assert verdicts == contract.expected(payloads)
    n_good = sum(verify == "true" for verify, _ in verdicts.values())
    assert n_good == len(contract.signers)


def test_a_signer_that_is_removed_counts_no_more(vast: Anvil) -> None:
    address = vast.deploy("MultiSignerVerifier", [SIGNER, OTHER], FEE)
    payloads = {"first": GOOD, "other": payload_of(key=OTHER_KEY)}
    both = Contract(vast, address, [SIGNER, OTHER])
    assert both.verdicts(payloads) == both.expected(payloads)
    vast.send(address, "setSigner", SIGNER, False)
    one = Contract(vast, address, [OTHER])
    verdicts = one.verdicts(payloads)
    assert verdicts == one.expected(payloads)
    assert [verify for verify, _ in verdicts.values()] == ["false", "true"]


@pytest.mark.parametrize("n_assets", [14, 32])
def test_a_versioned_payload_that_fits_is_read_as_the_first_layout(
    contract: Contract, n_assets: int
) -> None:
    """The contract takes it, and returns assets that nobody sent."""
    payload = versioned(n_assets)
    ((verify, assets),) = contract.verdicts({"it": payload}).values()
    assert verify == "true" and isinstance(assets, list)
    sent = codec.decode_payloads(payload).updates
    assert len(assets) == (79 - 75 + 19 * n_assets) // 18 != len(sent)
    assert assets[0].timestamp_ns != 1


def test_the_payloads_are_those_that_the_rows_mean() -> None:
    assert codec.keccak256(GOOD[65:]) == BODY_DIGEST
    assert codec.decode_payloads(FITS).messages["layout"][0] == 2
    assert all((len(p) - 75) % 18 == 0 for p in VERSIONED["accepted"].values())
