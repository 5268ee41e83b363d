"""Aggregates as Stork Core's contract takes them: as words, and as calldata."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from codec.addresses import checksum_address, read_signers
from codec.aggregator.signing import encoded_asset_id
from codec.chain.answers import clean
from codec.chain.calldata import selector
from codec.errors import ErrorCode, RangeError, SignatureError
from codec.signatures import eip191_digests, keccak256_batch, recover_digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from codec.addresses import Address
    from codec.aggregator import AggregatorBatch

__all__ = [
    "UPDATE",
    "UPDATE_FEE",
    "PriceUpdate",
    "PriceUpdates",
    "price_updates",
    "shown_name",
]

_INPUT = "((uint64,int192),bytes32,bytes32,bytes32,bytes32,bytes32,uint8)"
UPDATE: Final = f"updateTemporalNumericValuesV1({_INPUT}[])"
UPDATE_FEE: Final = f"getUpdateFeeV1({_INPUT}[])"

# The words of an input, in the order of the ABI.
_TIMESTAMP, _VALUE, _ID, _ROOT, _CHECKSUM, _R, _S, _V = range(8)
_N_WORDS = 8
_WORD_LEN = 32
_VALUE_LEN = 24
_SIGNED = (_ID, _TIMESTAMP, _VALUE, _ROOT, _CHECKSUM)
_FIRST_V = 27
_LONGEST_NAME = 60
_STATUSES = ("signature", "msg_hash", "encoded_asset_id", "consistency")


class PriceUpdate(NamedTuple):
    """One aggregate, signed: what the contract's struct holds.

    value: scaled by 10^18, an int192. id: keccak256 of the asset's name. The bytes are
    32 each.
    """

    timestamp_ns: int
    value: int
    id: bytes
    publisher_merkle_root: bytes
    checksum: bytes
    r: bytes
    s: bytes
    v: int


@dataclass(frozen=True, eq=False, repr=False)
class PriceUpdates:
    """Signed aggregates in the order in which the contract would take them.

    words: uint8, shape (n, 8, 32), each input as the ABI has it. keys: uint8, shape
    (n, 20), who is said to have signed each, which is part of what is signed. symbols:
    the assets' names, for people; empty where they are not known. `price_updates` makes
    them of a batch, and `of` of single ones, whose signatures a preflight judges. Both
    arrays are read-only copies. Raises ValueError for other shapes, RangeError for a
    word that its type does not hold, for which the contract would revert.
    """

    words: NDArray[np.uint8]
    keys: NDArray[np.uint8]
    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.symbols)
        for name, shape in (("words", (n, _N_WORDS, _WORD_LEN)), ("keys", (n, 20))):
            array = getattr(self, name).copy()
            if array.dtype != np.uint8 or array.shape != shape:
                raise ValueError(f"{name}: {array.dtype} of {array.shape}, not {shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        _check_types(self.words)

    @classmethod
    def of(
        cls,
        updates: Iterable[PriceUpdate],
        key: Address,
        symbols: Sequence[str] | None = None,
    ) -> Self:
        """Of single updates, all said to be signed by one key; nothing is verified.

        Raises RangeError for a number that its type does not hold, TypeError for one
        that is no int, ValueError for bytes of another length, SignatureError for a key
        that is no address.
        """
        rows = list(updates)
        words = b"".join(_encoded(row, update) for row, update in enumerate(rows))
        (address,) = read_signers(key)
        names = ("",) * len(rows) if symbols is None else tuple(symbols)
        keys = np.frombuffer(address * len(rows), np.uint8).reshape(-1, 20)
        return cls(np.frombuffer(words, np.uint8).reshape(-1, 8, 32), keys, names)

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[PriceUpdate]:
        for words in self.words:
            parts = [word.tobytes() for word in words]
            asset, root, checksum, r, s = parts[_ID:_V]
            yield PriceUpdate(
                int.from_bytes(parts[_TIMESTAMP], "big"),
                int.from_bytes(parts[_VALUE], "big", signed=True),
                *(asset, root, checksum, r, s),
                parts[_V][-1],
            )

    def __repr__(self) -> str:
        n = len(self)
        return f"<PriceUpdates: {n:,} update{'' if n == 1 else 's'}>"

    @property
    def timestamps_ns(self) -> NDArray[np.uint64]:
        """Those that are signed, shape (n,)."""
        low = np.ascontiguousarray(self.words[:, _TIMESTAMP, -8:])
        return low.view(">u8")[:, 0].astype(np.uint64)

    @property
    def values(self) -> list[int]:
        """Scaled by 10^18."""
        return [
            int.from_bytes(word.tobytes(), "big", signed=True)
            for word in self.words[:, _VALUE]
        ]

    @property
    def ids(self) -> list[bytes]:
        """Of the assets, 32 bytes each."""
        return [word.tobytes() for word in self.words[:, _ID]]

    @property
    def signers(self) -> tuple[str, ...]:
        """Who is said to have signed, each once, with checksum."""
        return tuple(map(checksum_address, dict.fromkeys(map(bytes, self.keys))))

    def calldata(self) -> bytes:
        """Of `updateTemporalNumericValuesV1` with all of them."""
        return selector(UPDATE) + self._argument()

    def fee_calldata(self) -> bytes:
        """Of `getUpdateFeeV1` with all of them."""
        return selector(UPDATE_FEE) + self._argument()

    def _argument(self) -> bytes:
        head = _WORD_LEN.to_bytes(32, "big") + len(self).to_bytes(32, "big")
        return head + self.words.tobytes()

    def select(self, rows: ArrayLike) -> PriceUpdates:
        """Those of a mask, or at these places, in that order."""
        chosen = _places(rows, len(self))
        names = tuple(self.symbols[i] for i in chosen)
        return PriceUpdates(self.words[chosen], self.keys[chosen], names)

    def newest(self) -> PriceUpdates:
        """Of each asset the newest, of equal ones the last, in the order they have."""
        last: dict[bytes, int] = {}
        times = self.timestamps_ns.tolist()
        for i, asset in enumerate(self.ids):
            if asset not in last or times[i] >= times[last[asset]]:
                last[asset] = i
        return self.select(sorted(last.values()))

    def name(self, row: int) -> str:
        """An asset for people: its symbol, or else the beginning of its id.

        Whatever a stranger has named it, it is a line of printable ASCII.
        """
        start = self.words[row, _ID, :4].tobytes().hex()
        return shown_name(self.symbols[row]) or f"0x{start}..."

    def statuses(self, *, threads: int = 1) -> NDArray[np.uint8]:
        """0 where the key of a row signed it, as the contract judges, else why not.

        Returns uint8, shape (n,), an `ErrorCode` or 0.
        """
        signed = self.words[:, _SIGNED].reshape(len(self), len(_SIGNED) * _WORD_LEN)
        hashes = keccak256_batch(np.hstack((self.keys, signed)))
        signatures = np.hstack(
            (self.words[:, _R], self.words[:, _S], self.words[:, _V, -1:])
        )
        found = recover_digests(
            eip191_digests(hashes), signatures, threads=threads, v_offset=_FIRST_V
        )
        statuses: NDArray[np.uint8] = found["status"].copy()
        is_other = (found["address"] != self.keys).any(axis=1)
        statuses[(statuses == 0) & is_other] = ErrorCode.WRONG_SIGNER
        return statuses


def price_updates(
    batch: AggregatorBatch, rows: ArrayLike | None = None, *, newest: bool = False
) -> PriceUpdates:
    """The aggregates of a batch for the chain; those at `rows` (places or a mask).

    newest: only the newest of each asset. Raises SignatureError for an aggregate that
    is not verified, which names the row and what is wrong with it.
    """
    chosen = _places(np.arange(len(batch)) if rows is None else rows, len(batch))
    aggregates = batch.aggregates[chosen]
    bad = np.flatnonzero(~aggregates["verified"])
    if len(bad):
        raise _unverified(batch, int(chosen[bad[0]]))
    signatures = batch.aggregate_signatures[chosen]
    words = np.zeros((len(chosen), _N_WORDS, _WORD_LEN), np.uint8)
    words[:, _TIMESTAMP, -8:] = _big_endian(aggregates["timestamp_ns"])
    values = aggregates["value"]
    words[:, _VALUE, :16] = np.where(values["hi"] < 0, 0xFF, 0)[:, None]
    words[:, _VALUE, 16:24] = _big_endian(values["hi"])
    words[:, _VALUE, 24:] = _big_endian(values["lo"])
    for word, name in (
        (_ID, "encoded_asset_id"),
        (_ROOT, "publisher_merkle_root"),
        (_CHECKSUM, "checksum"),
        (_R, "r"),
        (_S, "s"),
    ):
        words[:, word] = signatures[name]
    words[:, _V, -1] = signatures["v"]
    names = tuple(batch.symbol(int(i)) for i in chosen)
    updates = PriceUpdates(words, aggregates["signer"].copy(), names)
    return updates.newest() if newest else updates


def _unverified(batch: AggregatorBatch, row: int) -> SignatureError:
    aggregate = batch.aggregates[row]
    name = next((name for name in _STATUSES if aggregate[name]), "verified")
    code = int(aggregate[name])
    why = ""
    if name != "verified":
        status = ErrorCode(code)
        why = f": {status.description} [{status}, {name}]"
    symbol = shown_name(batch.symbol(row))
    return SignatureError(f"row {row}, {symbol}, is not verified{why}")


def shown_name(symbol: str) -> str:
    """An asset's name for people, as a line of printable ASCII."""
    return clean(symbol, _LONGEST_NAME).encode("ascii", "backslashreplace").decode()


def _places(rows: ArrayLike, n: int) -> NDArray[np.intp]:
    chosen = np.asarray(rows)
    if chosen.dtype == bool:
        if chosen.shape != (n,):
            raise ValueError(f"a mask of shape {chosen.shape} for {n} rows")
        return np.flatnonzero(chosen)
    if chosen.ndim != 1 or not (chosen.size == 0 or chosen.dtype.kind in "iu"):
        raise TypeError("rows are places, or a mask")
    return chosen.astype(np.intp)


def _big_endian(numbers: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers of 8 bytes as bytes, shape (n, 8)."""
    swapped = np.ascontiguousarray(numbers).byteswap()
    return swapped.view(np.uint8).reshape(-1, 8)


def _check_types(words: NDArray[np.uint8]) -> None:
    """Raises RangeError for a word that is longer than its type, as that is padded."""
    sign = np.where(words[:, _VALUE, -_VALUE_LEN] & 0x80, 0xFF, 0)[:, None]
    for word, length, name in (
        (_TIMESTAMP, 8, "timestamp_ns is no uint64"),
        (_VALUE, _VALUE_LEN, "value is no int192"),
        (_V, 1, "v is no uint8"),
    ):
        padding = sign if word == _VALUE else 0
        is_bad = (words[:, word, :-length] != padding).any(axis=1)
        if is_bad.any():
            raise RangeError(int(is_bad.argmax()), name)


def _encoded(row: int, update: PriceUpdate) -> bytes:
    parts = [
        _number(row, "timestamp_ns", update.timestamp_ns, 0, 2**64),
        _number(row, "value", update.value, -(2**191), 2**191),
    ]
    for name in update._fields[_ID:_V]:
        data: bytes = getattr(update, name)
        if len(data) != _WORD_LEN:
            raise ValueError(f"{name} has 32 bytes, not {len(data)} [update {row}]")
        parts.append(bytes(data))
    parts.append(_number(row, "v", update.v, 0, 2**8))
    return b"".join(parts)


def _number(row: int, name: str, number: int, low: int, end: int) -> bytes:
    number = index(number)  # nothing is rounded
    if not low <= number < end:
        raise RangeError(row, f"{name} {number} is not in {low} .. {end - 1}")
    return number.to_bytes(_WORD_LEN, "big", signed=low < 0)


def asset_id(asset: str | bytes) -> bytes:
    """The id of an asset: keccak256 of its name; bytes, and hex with 0x, are ids.

    Raises ValueError for an id of another length.
    """
    if isinstance(asset, str) and not asset.startswith("0x"):
        return encoded_asset_id(asset)
    data = bytes.fromhex(asset[2:]) if isinstance(asset, str) else bytes(asset)
    if len(data) != _WORD_LEN:
        raise ValueError(f"an id has 32 bytes, not {len(data)}")
    return data
