"""The addresses that signatures are held to, in the core and in the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from signature_cases import (
    EIP55,
    GOOD,
    OTHER,
    SIGNER,
    array,
)

from codec import addresses
from codec.errors import SignatureError
from codec.reference import signers


@pytest.mark.parametrize(
    "read_signers",
    [addresses.read_signers, signers.read_signers],
    ids=["core", "reference"],
)
@pytest.mark.parametrize("digits", EIP55)
def test_checksum(read_signers: Any, digits: str) -> None:
    address = bytes.fromhex(digits)
    one_case = (digits.lower(), digits.upper())
    for text in (digits, *one_case):
        assert set(read_signers(text)) == set(read_signers("0x" + text)) == {address}
    for i, digit in enumerate(digits):
        if digit.isalpha():
            wrong = digits[:i] + digit.swapcase() + digits[i + 1 :]
            with pytest.raises(SignatureError, match=r"EIP-55.*\[signer 0\]$"):
                read_signers(wrong)
    if digits not in one_case:
        with pytest.raises(SignatureError, match="EIP-55"):
            read_signers("0x" + digits.swapcase())


MIXED = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"


@pytest.mark.parametrize(
    "signers",
    [
        SIGNER,
        bytearray(SIGNER),
        SIGNER.hex(),
        SIGNER.hex().upper(),
        "0x" + SIGNER.hex(),
        "0x" + SIGNER.hex().upper(),
        MIXED,
        MIXED[2:],
        np.str_(MIXED),
        [SIGNER],
        (MIXED,),
        {SIGNER, MIXED},
        dict.fromkeys([OTHER, "0x" + SIGNER.hex()]),
        [OTHER, SIGNER, SIGNER, OTHER.hex()],
        np.array([MIXED]),
        np.array([OTHER.hex(), MIXED], object),
        array(SIGNER)[0],
        array(SIGNER),
        array(OTHER, SIGNER),
        array(OTHER, bytes(20), SIGNER)[::-2],
    ],
    ids=lambda signers: type(signers).__name__,
)
def test_ways_to_write_signers(api: Any, signers: Any) -> None:
    batch = api.decode_payloads(GOOD)
    assert batch.verify(signers).tolist() == [True]


@pytest.mark.parametrize(
    ("signers", "place"),
    [
        ([], ""),
        ((), ""),
        (np.empty((0, 20), np.uint8), ""),
        (np.empty((0,), np.uint8), ""),
        (np.zeros((32,), np.uint8), ""),
        (np.zeros((2, 21), np.uint8), ""),
        (np.zeros((1, 1, 20), np.uint8), ""),
        (np.array(5, np.uint8), ""),
        (b"", "0"),
        ("", "0"),
        ("0x", "0"),
        (SIGNER[:19], "0"),
        (bytearray(SIGNER + b"\0"), "0"),
        (SIGNER.hex().encode(), "0"),
        (SIGNER.hex()[:39], "0"),
        (SIGNER.hex() + "0", "0"),
        (SIGNER.hex() + "\n", "0"),
        (" " + SIGNER.hex(), "0"),
        ("0X" + SIGNER.hex(), "0"),
        ("0x0x" + SIGNER.hex()[4:], "0"),
        ("g" + SIGNER.hex()[1:], "0"),
        ("١" * 40, "0"),
        ([SIGNER, OTHER, SIGNER[1:]], "2"),
        ([SIGNER, MIXED.replace("E", "e"), ""], "1"),
        (dict.fromkeys(["0x" + SIGNER.hex(), "vitalik.eth"]), "1"),
    ],
)
def test_no_signers(api: Any, signers: Any, place: str) -> None:
    batch = api.decode_payloads(GOOD)
    with pytest.raises(SignatureError) as caught:
        batch.verify(signers)
    assert str(caught.value).endswith(f"[signer {place}]") == bool(place)


@pytest.mark.parametrize(
    "signers",
    [None, 5, 1.5, [5], [SIGNER, None], [[SIGNER]], np.zeros((1, 20)), np.zeros(20)],
)
def test_signers_of_another_type(api: Any, signers: Any) -> None:
    batch = api.decode_payloads(GOOD)
    with pytest.raises(TypeError):
        batch.verify(signers)
    if signers is not None:
        with pytest.raises(TypeError):
            api.decode_payloads(GOOD, signers=signers)
