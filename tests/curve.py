"""The group of secp256k1 in plain integers, for signatures that are made to order."""

from __future__ import annotations

from functools import cache

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF = (N - 1) // 2
"""The largest s that is taken."""

Point = tuple[int, int]
"""x and y; None stands for the point at infinity."""

G: Point = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
_BITS = 8


def add(a: Point | None, b: Point | None) -> Point | None:
    """The sum of any two points."""
    if a is None or b is None:
        return b if a is None else a
    if a[0] != b[0]:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    elif a[1] == b[1]:
        slope = 3 * a[0] ** 2 * pow(2 * a[1], -1, P)
    else:
        return None
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(k: int, point: Point | None) -> Point | None:
    """k times a point."""
    total = None
    for bit in bin(k % N)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def multiply_generator(k: int) -> Point | None:
    """k times G."""
    k %= N
    total: Point | None = None
    for row in _generator_rows():
        total = add(total, row[k % 2**_BITS])
        k >>= _BITS
    return total


@cache
def _generator_rows() -> list[list[Point | None]]:
    rows: list[list[Point | None]] = []
    base: Point | None = G
    for _ in range(256 // _BITS):
        row: list[Point | None] = [None]
        for _ in range(2**_BITS):
            row.append(add(row[-1], base))
        base = row.pop()
        rows.append(row)
    return rows


def lift(x: int) -> Point | None:
    """The point with this x and an even y, where there is one."""
    y = pow(x**3 + 7, (P + 1) // 4, P)
    if (y * y - x**3 - 7) % P:
        return None
    return x, P - y if y % 2 else y


def negate(point: Point) -> Point:
    """Its opposite."""
    return point[0], P - point[1]
