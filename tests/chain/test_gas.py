"""What transactions with payloads cost, measured: docs/chain.md has the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aggregates import SINGLE_FEE, deploy_core, updates_of
from anvil import Anvil

import codec

DOCUMENT = Path(__file__).parents[2] / "docs" / "chain.md"
SIZES = (1, 6, 100, 500)
CORE_SIZES = (1, 10, 100)
START_NS = 1764608822324772939
NO_LIMIT_S = 10**9
ROWS = {
    "verify": "`verifySignedECDSAPayload`",
    "deserialize": "`verifyAndDeserializeSignedECDSAPayload`",
    "first": "`update` of a PriceBoard, assets that are new to it",
    "again": "`update` of a PriceBoard, assets that it has",
}

CORE_ROWS = {
    "first": "`updateTemporalNumericValuesV1`, assets that are new to it",
    "again": "`updateTemporalNumericValuesV1`, assets that it has",
    "stale": "`updateTemporalNumericValuesV1`, all but one of them stale",
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


def prices(n_assets: int) -> dict[str, int]:
    """By names; 18 decimal places, of which most are not zero."""
    return {
        f"ASSET{i}USD": (i + 1) * 977_123_456_789_012_345_67 for i in range(n_assets)
    }


@pytest.fixture
def measured_core(chain: Anvil) -> dict[str, list[int]]:
    """The same of Stork Core, for CORE_SIZES."""

    def used(core: str, values: dict[str, int], timestamp_ns: int) -> int:
        updates = updates_of(values, timestamp_ns)
        receipt = chain.transact(
            **{"from": chain.owner, "to": core},
            data="0x" + updates.calldata().hex(),
            value=hex(SINGLE_FEE * len(updates)),
        )
        return int(receipt["gasUsed"], 16)

    found: dict[str, list[int]] = {name: [] for name in CORE_ROWS}
    for n_assets in CORE_SIZES:
        core = deploy_core(chain)
        used(core, {"OTHER": 1}, START_NS)  # what is paid to it is not its first
        found["first"].append(used(core, prices(n_assets), START_NS))
        found["again"].append(used(core, prices(n_assets), START_NS + 10**9))
        values = prices(n_assets)
        if later := dict(list(values.items())[1:]):
            used(core, later, START_NS + 2 * 10**9)
        found["stale"].append(used(core, values, START_NS + 2 * 10**9))
    return found


def assert_in_the_document(
    head: str, titles: dict[str, str], measured: dict[str, list[int]]
) -> None:
    lines = [
        f"| {title} | {' | '.join(f'{gas:,}' for gas in measured[name])} |"
        for name, title in titles.items()
    ]
    print("", *lines, sep="\n")
    text = DOCUMENT.read_text()
    assert head in text
    assert [line for line in lines if line not in text] == []


def test_the_document_has_the_measured_gas(measured: dict[str, list[int]]) -> None:
    assert_in_the_document("| gas | 1 asset | 6 | 100 | 500 |\n", ROWS, measured)


def test_the_document_has_the_gas_of_price_updates(
    measured_core: dict[str, list[int]],
) -> None:
    head = "| gas | 1 update | 10 | 100 |\n"
    assert_in_the_document(head, CORE_ROWS, measured_core)
