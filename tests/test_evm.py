"""Our verdict is that of a contract in an EVM: 5,000 payloads, 100,000 with CI set."""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random

import numpy as np
import pytest
from evm import FULL, Evm, Verifier, rows
from signed_payloads import (
    DAMAGES,
    MAKERS,
    Case,
    N,
    Payloads,
    address_of,
    changed,
    word,
)

import codec
from codec import _core, reference
from codec.errors import ErrorCode

N_PAYLOADS = 100_000 if FULL else 5_000
ONE_IN = 101 if FULL else 11  # is judged by the reference, too

KEY = bytes.fromhex("5eed" * 16)
# Keys by which sums of points meet their special cases.
SPECIAL_KEYS = [word(key) for key in (1, 2, 3, (N + 1) // 2, N - 1)]

# What the contract says of most payloads of a kind; of all others, "false".
USUAL_OUTCOMES = {
    "layout_1": ("true", 0.99),
    "layout_2": ("InvalidPayload", 0.99),
    "layout_2_that_fits": ("true", 0.99),
    "layout_2_of_prices": ("InvalidPayload", 0.99),
    "high_taxonomy": ("true", 0.99),
    "two_readings": ("true", 0.99),
    "cut_short": ("InvalidPayload", 0.9),
    "extended": ("InvalidPayload", 0.5),
    "signed_short": ("InvalidPayload", 0.8),
    "signed_header": ("true", 0.8),
    "signed_change": ("true", 0.8),
    "v": ("false", 0.7),
}


def fits(payload: bytes) -> bool:
    """Whether the length is one of layout 1, which is all that the contract knows."""
    return len(payload) >= 75 and (len(payload) - 75) % 18 == 0


def expected_verdict(case: Case) -> str:
    """What the parity table says, from the way in which the payload was made."""
    if not fits(case.payload):
        return "InvalidPayload"
    if case.payload[64] > 228:
        return "Panic(0x11)"
    return "true" if case.is_signed else "false"


def deploy(evm: Evm, signer: bytes) -> Verifier:
    """A contract that wants no fee."""
    return Verifier(evm, evm.deploy("SingleSignerVerifier", signer, 0))


class Judged:
    """Payloads of one key: what the contract says, and what this package does."""

    def __init__(self, evm: Evm, key: bytes, n: int) -> None:
        self.signer = address_of(key)
        contract = deploy(evm, self.signer)
        self.cases = list(Payloads(Random(f"payloads {key.hex()}"), key).cases(n))
        self.payloads = [case.payload for case in self.cases]
        self.verdicts = [contract.verify(payload) for payload in self.payloads]

        self.batch = codec.decode_payloads(self.payloads, on_error="skip")
        self.is_decoded = np.ones(n, bool)
        self.is_decoded[self.batch.errors["index"]] = False
        self.is_good = np.zeros(n, bool)
        self.is_good[self.is_decoded] = codec.verify(self.batch, self.signer)
        self.found = codec.recover(self.batch, threads=2)
        self.errors = np.zeros(n, np.uint16)
        self.errors[self.batch.errors["index"]] = self.batch.errors["code"]


@pytest.fixture(scope="module")
def judged(evm: Evm) -> list[Judged]:
    """Half of the payloads are KEY's, the special keys share the rest."""
    n = N_PAYLOADS // 10
    return [Judged(evm, KEY, 5 * n), *(Judged(evm, key, n) for key in SPECIAL_KEYS)]


def test_contract_follows_the_table(judged: list[Judged]) -> None:
    for run in judged:
        for case, verdict in zip(run.cases, run.verdicts, strict=True):
            assert verdict == expected_verdict(case), case


def test_verify_is_the_contracts_verdict(judged: list[Judged]) -> None:
    """Layout 1: exactly, and what is no payload to one is none to the other. Byte 65 is
    0xFF: exactly where we read it and its length is one that the contract takes."""
    for run in judged:
        results = zip(
            run.cases,
            run.verdicts,
            run.is_decoded.tolist(),
            run.is_good.tolist(),
            run.errors.tolist(),
            strict=True,
        )
        for case, verdict, is_decoded, is_good, error in results:
            is_layout_1 = case.payload[65:66] != b"\xff"
            if is_layout_1:
                assert is_decoded == (error != ErrorCode.INVALID_LENGTH), case
                assert is_decoded == (verdict != "InvalidPayload"), case
            if is_decoded and (is_layout_1 or fits(case.payload)):
                expected = {"true"} if is_good else {"false", "Panic(0x11)"}
                assert verdict in expected, case
            if is_decoded:
                assert is_good == case.is_signed, case


def test_recover_digests_is_the_contracts_verdict(judged: list[Judged]) -> None:
    """Of all that has a length for the contract, whether we can decode it or not: the
    rules look at the signature and at the signed bytes alone."""
    for run in judged:
        kept = [i for i, payload in enumerate(run.payloads) if fits(payload)]
        payloads = [run.payloads[i] for i in kept]
        found = codec.recover_digests(
            rows([_core.keccak256(payload[65:]) for payload in payloads]),
            rows([payload[:65] for payload in payloads]),
        )
        is_good = (found["status"] == 0) & np.all(
            found["address"] == np.frombuffer(run.signer, np.uint8), axis=1
        )
        for i, good in zip(kept, is_good.tolist(), strict=True):
            assert good == (run.verdicts[i] == "true"), run.cases[i]


def test_recover_gives_verify(judged: list[Judged]) -> None:
    for run in judged:
        found = run.found
        signer = np.frombuffer(run.signer, np.uint8)
        is_signers = np.all(found["address"] == signer, axis=1)
        good = run.is_good[run.is_decoded]
        assert ((found["status"] == 0) & is_signers == good).all()
        assert not found["address"][found["status"] != 0].any()


def test_reference_agrees(judged: list[Judged]) -> None:
    for run in judged:
        sample = run.payloads[::ONE_IN]
        core = codec.decode_payloads(sample, on_error="skip")
        plain = reference.decode_payloads(sample, on_error="skip")
        assert core.errors.tolist() == plain.errors.tolist()
        assert codec.recover(core).tobytes() == reference.recover(plain).tobytes()
        verdicts = reference.verify(plain, run.signer).tolist()
        assert codec.verify(core, run.signer).tolist() == verdicts


def test_payloads_are_worth_judging(judged: list[Judged]) -> None:
    """Every outcome has its share, so that no rule goes untested."""
    verdicts = Counter(verdict for run in judged for verdict in run.verdicts)
    assert verdicts["true"] > 0.33 * N_PAYLOADS
    assert verdicts["false"] > 0.33 * N_PAYLOADS
    assert verdicts["InvalidPayload"] > 0.1 * N_PAYLOADS
    assert verdicts["Panic(0x11)"] > 0.005 * N_PAYLOADS

    by_kind: dict[str, Counter[str]] = defaultdict(Counter)
    for run in judged:
        for case, verdict in zip(run.cases, run.verdicts, strict=True):
            by_kind[case.kind][verdict] += 1
    assert len(by_kind) == len(set(MAKERS)) + len(DAMAGES)
    every_v = {c.payload[64] for run in judged for c in run.cases if c.kind == "v"}
    assert len(every_v) == 256 or not FULL
    for kind, counts in by_kind.items():
        outcome, share = USUAL_OUTCOMES.get(kind, ("false", 0.8))
        assert counts[outcome] > share * counts.total(), (kind, counts)
        assert counts.total() > 0.018 * N_PAYLOADS, (kind, counts)

    errors = Counter(code for run in judged for code in run.errors.tolist())
    for code, n_least in (
        (ErrorCode.INVALID_LENGTH, 0.09),
        (ErrorCode.UNKNOWN_VERSION, 0.04),
        (ErrorCode.UNKNOWN_MASK, 0.001),
    ):
        assert errors[code] > n_least * N_PAYLOADS, (code, errors)
    statuses = Counter(code for run in judged for code in run.found["status"].tolist())
    assert statuses[0] > 0.5 * N_PAYLOADS
    for code in (
        ErrorCode.INVALID_V,
        ErrorCode.SCALAR_RANGE,
        ErrorCode.HIGH_S,
        ErrorCode.NO_POINT,
    ):
        assert statuses[code] > 0.04 * N_PAYLOADS, (code, statuses)


def test_byte_65_is_worth_judging(judged: list[Judged]) -> None:
    """Where it is 0xFF, contract and package may differ in all of these ways."""
    seen = Counter(
        (bool(decoded), bool(good), verdict)
        for run in judged
        for payload, decoded, good, verdict in zip(
            run.payloads, run.is_decoded, run.is_good, run.verdicts, strict=True
        )
        if payload[65:66] == b"\xff"
    )
    for decoded, good, verdict in (
        (True, True, "true"),
        (True, True, "InvalidPayload"),
        (True, False, "false"),
        (True, False, "InvalidPayload"),
        (False, False, "true"),
        (False, False, "false"),
        (False, False, "InvalidPayload"),
    ):
        assert seen[decoded, good, verdict] > 0.02 * N_PAYLOADS, seen


@pytest.mark.parametrize(
    "s",
    [1, 2, N // 2 - 1, N // 2, N // 2 + 1, N - 2, N - 1],
    ids=["1", "2", "n/2-1", "n/2", "n/2+1", "n-2", "n-1"],
)
@pytest.mark.parametrize(
    "r", [1, 2, 3, N - 4, N - 3, N - 2], ids=["1", "2", "3", "n-4", "n-3", "n-2"]
)
def test_ends_of_r_and_s(evm: Evm, r: int, s: int) -> None:
    """The precompile tells whose signature it is; a contract of that signer takes it
    if s is low, and so do we."""
    body = codec.encode([1], [1], timestamp_ns=r % 97, taxonomy_id=s % 97, key=None)[
        65:
    ]
    for v in (0, 1):
        payload = word(r) + word(s) + bytes([v]) + body
        signature = changed(payload[:65], 64, v + 27)
        signer = evm.ecrecover(_core.keccak256(body), signature)
        assert signer is not None
        is_low = s <= N // 2
        assert deploy(evm, signer).verify(payload) == ("true" if is_low else "false")
        batch = codec.decode_payloads(payload)
        assert codec.verify(batch, signer).tolist() == [is_low]
        assert reference.verify(batch, signer).tolist() == [is_low]


def test_one_payload_two_readings(evm: Evm) -> None:
    """The length fits both layouts: both take the signature, and read other assets.
    The contract's timestamp is one of the first days of 1970 then."""
    payload = Payloads(Random(0), KEY).two_readings()
    contract = deploy(evm, address_of(KEY))
    batch = codec.decode_payloads(payload)
    assert batch.messages["layout"] == 2
    assert codec.verify(batch, address_of(KEY)).all()
    assets = contract.assets(payload)
    assert isinstance(assets, list)
    assert (len(batch), len(assets)) == (14, 15)
    assert all(asset.timestamp_ns >> 48 == 3 for asset in assets)
