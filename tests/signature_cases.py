"""Payloads with good and bad signatures, and how results are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from fault_cases import unsigned

from codec import reference
from codec.dtypes import SIGNER_DTYPE
from codec.errors import ErrorCode

E = ErrorCode
P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF = (N - 1) // 2
KEY = bytes(31) + b"\x01"
OTHER_KEY = bytes(31) + b"\x02"
SIGNER = bytes.fromhex("7e5f4552091a69125d5dfcb7b8c2659029395bdf")
OTHER = bytes.fromhex("2b5ad5c4795c026514f8317c7a215e218dccd6cf")
UNSIGNED = unsigned('[{"id":1,"v":"5"},{"id":2,"v":"6"}]')
NOBODY = bytes(20)
# The checksums are those of the EIP's own text.
EIP55 = [
    "52908400098527886E0F7030069857D2E4169EE7",
    "8617E340B3D01FA5F11F306F4090FD50E238070D",
    "de709f2102306220921060314715629080e2fb77",
    "27b1fdb04752bbc536007a920d24acb045561c26",
    "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "fB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "dbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "D1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


def payload(n_assets: int = 1, key: bytes = KEY, layout: int = 1) -> bytes:
    """A payload, signed."""
    return reference.encode(
        range(n_assets),
        range(n_assets),
        timestamp_ns=1764608822324772939,
        taxonomy_id=1,
        key=key,
        market_status=[1] * n_assets if layout == 2 else None,
    )


def resigned(data: bytes, r: int, s: int, v: int) -> bytes:
    """The payload with another signature."""
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v]) + data[65:]


def parts(data: bytes) -> tuple[int, int, int]:
    """r, s and v of a payload."""
    return (
        int.from_bytes(data[:32], "big"),
        int.from_bytes(data[32:64], "big"),
        data[64],
    )


def off_curve() -> int:
    """The smallest r that is no x coordinate."""
    return next(x for x in range(1, 99) if pow(x**3 + 7, (P - 1) // 2, P) != 1)


def rows(signers: np.ndarray) -> list[tuple[bytes, int]]:
    """An array of SIGNER_DTYPE as addresses and statuses."""
    assert signers.dtype == SIGNER_DTYPE
    return [(row["address"].tobytes(), int(row["status"])) for row in signers]


def array(*items: bytes) -> np.ndarray:
    return np.array([list(item) for item in items], np.uint8)


def state(batch: reference.Batch) -> tuple[Any, ...]:
    """All that a batch holds, padding included, but for the errors."""
    return tuple(
        None if table is None else table.tobytes()
        for table in (
            batch.messages,
            batch.updates,
            batch.payload_arena,
            batch.verified,
            batch.signers,
        )
    )


GOOD = payload()
R, S, V = parts(GOOD)
BAD = {
    "v 2": (R, S, 2, E.INVALID_V, 64),
    "v 3": (R, S, 3, E.INVALID_V, 64),
    "v 27": (R, S, 27 + V, E.INVALID_V, 64),
    "v 228": (R, S, 228, E.INVALID_V, 64),
    "v 229": (R, S, 229, E.INVALID_V, 64),
    "v 255": (R, S, 255, E.INVALID_V, 64),
    "v before the scalars": (0, 0, 2, E.INVALID_V, 64),
    "r zero": (0, S, V, E.SCALAR_RANGE, 0),
    "r is n": (N, S, V, E.SCALAR_RANGE, 0),
    "r above n": (P, S, V, E.SCALAR_RANGE, 0),
    "r of ones": (2**256 - 1, S, V, E.SCALAR_RANGE, 0),
    "s zero": (R, 0, V, E.SCALAR_RANGE, 32),
    "s is n": (R, N, V, E.SCALAR_RANGE, 32),
    "s of ones": (R, 2**256 - 1, V, E.SCALAR_RANGE, 32),
    "both zero": (0, 0, V, E.SCALAR_RANGE, 0),
    "both n": (N, N, V, E.SCALAR_RANGE, 0),
    "r zero before high s": (0, N - 1, V, E.SCALAR_RANGE, 0),
    "r is n before high s": (N, HALF + 1, V, E.SCALAR_RANGE, 0),
    "high s": (R, N - S, 1 - V, E.HIGH_S, 32),
    "s just high": (R, HALF + 1, V, E.HIGH_S, 32),
    "s is n - 1": (R, N - 1, V, E.HIGH_S, 32),
    "high s before the point": (off_curve(), HALF + 1, V, E.HIGH_S, 32),
    "no point": (off_curve(), S, V, E.NO_POINT, 0),
    "no point, v 0": (off_curve(), S, 0, E.NO_POINT, 0),
    "no point, v 1": (off_curve(), S, 1, E.NO_POINT, 0),
}
