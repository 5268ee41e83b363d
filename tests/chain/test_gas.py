"""What transactions with payloads cost, measured: docs/chain.md has the figures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from anvil import Anvil

import codec

DOCUMENT = Path(__file__).parents[2] / "docs" / "chain.md"
SIZES = (1, 6, 100, 500)
START_NS = 1764608822324772939
NO_LIMIT_S = 10**9
ROWS = {
    "verify": "`verifySignedECDSAPayload`",
    "deserialize": "`verifyAndDeserializeSignedECDSAPayload`",
    "first": "`update` of a PriceBoard, assets that are new to it",
    "again": "`update` of a PriceBoard, assets that it has",
}


def payload(n_assets: int, key: bytes, *, timestamp_ns: int = START_NS) -> bytes:
    """Values as prices are: 18 decimal places, of which most are not zero."""
    return codec.encode(
        range(1, n_assets + 1),
        [(i + 1) * 977_123_456_789_012_345_67 for i in range(n_assets)],
        timestamp_ns=timestamp_ns,
        taxonomy_id=1,
        key=key,
    )


@pytest.fixture
def measured(
    chain: Anvil, verifier: str, signer_key: bytes, fee_wei: int
) -> dict[str, list[int]]:
    """The gas that mined transactions used, by row, a number for each of SIZES."""

    def used(address: str, function: str, *arguments: Any) -> int:
        receipt = chain.send(address, function, *arguments, wei=fee_wei)
        return int(receipt["gasUsed"], 16)

    found: dict[str, list[int]] = {name: [] for name in ROWS}
    for n_assets in SIZES:
        data = payload(n_assets, signer_key)
        later = payload(n_assets, signer_key, timestamp_ns=START_NS + 10**9)
        found["verify"].append(used(verifier, "verifySignedECDSAPayload", data))
        name = "verifyAndDeserializeSignedECDSAPayload"
        found["deserialize"].append(used(verifier, name, data))
        board = chain.deploy("PriceBoard", verifier, NO_LIMIT_S)
        found["first"].append(used(board, "update", data))
        found["again"].append(used(board, "update", later))
    return found


def test_the_document_has_the_measured_gas(measured: dict[str, list[int]]) -> None:
    lines = [
        f"| {title} | {' | '.join(f'{gas:,}' for gas in measured[name])} |"
        for name, title in ROWS.items()
    ]
    print("", *lines, sep="\n")
    text = DOCUMENT.read_text()
    assert re.search(r"\| gas \| 1 asset \| 6 \| 100 \| 500 \|\n", text)
    assert [line for line in lines if line not in text] == []
