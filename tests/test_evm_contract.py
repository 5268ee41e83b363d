"""The verifier of tests/contracts does what Stork's does, in every row of its table."""

from __future__ import annotations

import pytest
from evm import (
    ACCOUNT,
    SIGNER_ADDRESS,
    VERIFICATION_FEE,
    VERIFY,
    VERIFY_AND_DESERIALIZE,
    VERSION,
    Evm,
    Reverted,
    Verifier,
    decode_string,
)
from parity_cases import (
    ACCEPTED,
    GOOD,
    OVERFLOW,
    REFUSED,
    SIGNER,
    TOO_MANY,
    WRONG_LENGTH,
    expected_assets,
)
from signed_payloads import number

from codec import reference

FEE = 3


@pytest.fixture(scope="module")
def verifier(evm: Evm) -> Verifier:
    """SIGNER's, and it wants a fee."""
    return Verifier(evm, evm.deploy("SingleSignerVerifier", SIGNER, FEE))


def test_getters(evm: Evm, verifier: Verifier) -> None:
    assert number(evm.call(verifier.address, VERIFICATION_FEE)) == FEE
    assert evm.call(verifier.address, SIGNER_ADDRESS) == SIGNER.rjust(32, b"\0")
    assert decode_string(evm.call(verifier.address, VERSION)) == "1.0.0"
    signatures = {
        VERIFY: b"verifySignedECDSAPayload(bytes)",
        VERIFY_AND_DESERIALIZE: b"verifyAndDeserializeSignedECDSAPayload(bytes)",
        VERIFICATION_FEE: b"verificationFeeInWei()",
        SIGNER_ADDRESS: b"signerAddress()",
        VERSION: b"version()",
    }
    for selector, signature in signatures.items():
        assert selector == reference.keccak256(signature)[:4]
    with pytest.raises(Reverted, match=r"\A\Z"):
        evm.call(verifier.address, b"\x12\x34\x56\x78")


@pytest.mark.parametrize("value", [FEE, FEE + 1, 10**18])
def test_accepted(verifier: Verifier, value: int) -> None:
    for name, payload in ACCEPTED.items():
        assert verifier.verify(payload, value=value) == "true", name
        assert verifier.assets(payload, value=value) == expected_assets(payload), name


@pytest.mark.parametrize(
    ("payloads", "verdict", "error"),
    [
        (REFUSED, "false", "InvalidSignature"),
        (WRONG_LENGTH, "InvalidPayload", "InvalidPayload"),
        (OVERFLOW, "Panic(0x11)", "Panic(0x11)"),
        (TOO_MANY, "true", "Panic(0x32)"),
    ],
    ids=["refused", "wrong length", "overflow", "too many"],
)
def test_not_accepted(
    verifier: Verifier, payloads: dict[str, bytes], verdict: str, error: str
) -> None:
    for name, payload in payloads.items():
        assert verifier.verify(payload, value=FEE) == verdict, name
        assert verifier.assets(payload, value=FEE) == error, name


@pytest.mark.parametrize("value", [0, FEE - 1])
def test_fee_comes_first(verifier: Verifier, value: int) -> None:
    for rows in (ACCEPTED, REFUSED, WRONG_LENGTH, OVERFLOW, TOO_MANY):
        for name, payload in rows.items():
            assert verifier.verify(payload, value=value) == "InsufficientFee", name
            assert verifier.assets(payload, value=value) == "InsufficientFee", name


def test_fee_is_kept(evm: Evm, verifier: Verifier) -> None:
    """All of it, also for a bad signature; not where the call reverts."""
    bad = REFUSED["another key"]
    before = evm.balance(verifier.address), evm.balance(ACCOUNT)
    assert verifier.verify(GOOD, value=10, is_static=False) == "true"
    assert verifier.verify(bad, value=20, is_static=False) == "false"
    assert verifier.assets(bad, value=40, is_static=False) == "InvalidSignature"
    after = evm.balance(verifier.address), evm.balance(ACCOUNT)
    assert after == (before[0] + 30, before[1] - 30)
