"""A payload's bytes are judged as the contract judges them, without any node."""

from __future__ import annotations

from random import Random

import pytest
from signature_cases import BAD, GOOD, KEY, OTHER, OTHER_KEY, SIGNER, payload, resigned
from signed_payloads import Payloads, sign

import codec
from codec import checksum_address
from codec.chain.findings import PreflightCode
from codec.chain.reading import read, signer_finding

ADDRESS = checksum_address(SIGNER)


def codes(data: bytes) -> list[str]:
    return [str(finding.code) for finding in read(data).findings]


def test_good_payload() -> None:
    reading = read(payload(3))
    assert reading.findings == () and not reading.is_bad
    assert (reading.n_assets, reading.taxonomy_id, reading.layout) == (3, 1, 1)
    assert reading.timestamp_ns == 1764608822324772939
    assert reading.signer == ADDRESS
    assert signer_finding(reading, [checksum_address(OTHER), ADDRESS]) is None


@pytest.mark.parametrize("name", BAD)
def test_each_bad_signature_has_the_code_of_recover(name: str) -> None:
    r, s, v, code, _ = BAD[name]
    reading = read(resigned(GOOD, r, s, v))
    (finding,) = reading.findings
    assert finding.is_fatal and reading.signer is None
    assert finding.code == ("v_overflow" if v >= 229 else str(code))


def test_the_overflow_of_v_is_told_from_a_wrong_v() -> None:
    at = {v: codes(GOOD[:64] + bytes([v]) + GOOD[65:]) for v in (2, 228, 229, 255)}
    assert at == {
        2: ["invalid_v"],
        228: ["invalid_v"],
        229: ["v_overflow"],
        255: ["v_overflow"],
    }
    (finding,) = read(GOOD[:64] + bytes([27 + GOOD[64]]) + GOOD[65:]).findings
    assert f"subtract 27, the contract adds it (v {GOOD[64]})" in finding.text


@pytest.mark.parametrize("length", [0, 1, 64, 65, 66, 74, 76, 92, 94])
def test_lengths_that_fit_no_records(length: int) -> None:
    reading = read((GOOD + b"\0")[:length])
    assert reading.findings[0].code == PreflightCode.INVALID_LENGTH
    assert "InvalidPayload()" in reading.findings[0].text
    assert reading.updates is None and reading.is_bad


def test_a_payload_without_assets_is_taken() -> None:
    reading = read(payload(0))
    assert codes(payload(0)) == ["no_assets"]
    assert not reading.is_bad and reading.n_assets == 0


@pytest.mark.parametrize("n_assets", [0, 1, 13, 15, 31])
def test_the_versioned_layout_is_refused_by_its_length(n_assets: int) -> None:
    reading = read(payload(n_assets, layout=2))
    (finding,) = reading.findings
    assert finding.code == PreflightCode.VERSIONED_LAYOUT and finding.is_fatal
    length = 79 + 19 * n_assets
    assert f"{length:,} bytes are not its 75 + 18 N" in finding.text
    assert "N mod 18 = 14" in finding.text
    assert (reading.layout, reading.n_assets) == (2, n_assets)


@pytest.mark.parametrize("n_assets", [14, 32])
def test_the_versioned_layout_is_refused_where_it_would_be_read_otherwise(
    n_assets: int,
) -> None:
    reading = read(payload(n_assets, layout=2))
    (finding,) = reading.findings
    assert finding.code == PreflightCode.READ_OTHERWISE and finding.is_fatal
    wrong = (79 + 19 * n_assets - 75) // 18
    assert f"reads {wrong} assets out of it" in finding.text
    assert reading.n_assets == n_assets and reading.signer == ADDRESS


def test_a_high_taxonomy_id_is_what_the_contract_makes_of_an_unknown_version() -> None:
    body = b"\xff\x07" + payload(2)[67:]
    data = sign(codec.keccak256(body), KEY) + body
    with pytest.raises(codec.DecodeError):
        codec.decode_payloads(data)
    reading = read(data)
    assert codes(data) == ["read_otherwise"] and reading.is_bad
    assert (reading.taxonomy_id, reading.n_assets, reading.layout) == (0xFF07, 2, 1)
    assert reading.updates is not None
    assert reading.updates["taxonomy_id"].tolist() == [0xFF07] * 2
    assert reading.signer == ADDRESS
    assert codes(data[:-1])[0] == "invalid_length"


def test_who_signed_is_compared() -> None:
    foreign = read(payload(1, OTHER_KEY))
    finding = signer_finding(foreign, [ADDRESS])
    assert finding is not None and finding.code == PreflightCode.WRONG_SIGNER
    assert checksum_address(OTHER) in finding.text and ADDRESS in finding.text
    nobody = signer_finding(foreign, [])
    assert nobody is not None and nobody.text.endswith("its signers are nobody")
    assert signer_finding(read(GOOD[:64] + b"\2" + GOOD[65:]), [ADDRESS]) is None


def test_the_prefix_of_eip_191_is_recognised() -> None:
    digest = codec.keccak256(GOOD[65:])
    prefixed = codec.keccak256(b"\x19Ethereum Signed Message:\n32" + digest)
    reading = read(sign(prefixed, KEY) + GOOD[65:])
    assert reading.findings == ()
    finding = signer_finding(reading, [ADDRESS])
    assert finding is not None and "EIP-191" in finding.text
    assert "EIP-191" not in str(signer_finding(reading, [checksum_address(OTHER)]))


def test_any_bytes_are_read_and_agree_with_recover() -> None:
    cases = list(Payloads(Random(6), KEY).cases(600))
    for case in cases:
        reading = read(case.payload)
        length = len(case.payload)
        fits = length >= 75 and (length - 75) % 18 == 0
        is_signed = case.is_signed and reading.signer == ADDRESS
        assert is_signed == case.is_signed
        refused = [f.code for f in reading.findings if f.is_fatal]
        assert (not fits) == any(
            code in (PreflightCode.INVALID_LENGTH, PreflightCode.VERSIONED_LAYOUT)
            for code in refused
        )
        if length >= 65:
            assert (reading.signer is None) == any(
                code
                in ("v_overflow", "invalid_v", "scalar_range", "high_s", "no_point")
                for code in refused
            )
