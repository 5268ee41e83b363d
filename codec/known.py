"""Signers whose public keys are known: what verifies them far faster than recovery."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Iterable
from functools import partial
from operator import index
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from codec import _core
from codec._secp256k1 import library
from codec.addresses import checksum_address, read_signers
from codec.errors import DecodeError, ErrorCode, SignatureError
from codec.integrity import ensure_checked
from codec.rows import as_signed, payload_bytes
from codec.tables import LIBRARY, generator_points, verify_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coincurve import PublicKey
    from numpy.typing import NDArray

    from codec.addresses import Address

__all__ = [
    "KnownSigner",
    "Signers",
    "choose",
    "read_known_signers",
]

# Tables of the first window are built in about a millisecond and pay after some dozens
# of signatures; those of the second take some ten, and 5 MB.
_FIRST_WINDOW, _SECOND_WINDOW = 8, 13
_FEW, _MANY = 64, 8192
_MIN_PAYLOAD_LEN = 75
_KEY_FORMS = ((33, b"\2"), (33, b"\3"), (65, b"\4"))
# Signers remembered for plain addresses, and messages looked at for their keys.
_MAX_REMEMBERED = 16
_N_SAMPLES = 8


class KnownSigner:
    """A signer by public key, for `verify`, `signers=` and `verify_digests`.

    key: the public key, 33 or 65 bytes, or a payload that the signer has signed well;
    each as bytes, or as hex text with or without `0x`; or a coincurve.PublicKey.
    window: bits of a table's window, 2 to 16: more is faster and takes more memory (8:
    0.25 MB, 13: 5 MB, 16: 32 MB, and once as much for all signers). None: 8 first, 13
    after some thousand signatures.

    A signature is good exactly where `codec.verify` with the signer's address says so.
    Raises SignatureError for what is no public key and no good payload, ValueError for
    another window.
    """

    __slots__ = ("_address", "_entry", "_fixed_window", "_key", "_lock", "_n_seen")

    def __init__(
        self,
        key: bytes | bytearray | memoryview | str | PublicKey,
        *,
        window: int | None = None,
    ) -> None:
        if window is not None and not 2 <= index(window) <= 16:
            raise ValueError(f"window must be in 2 .. 16, not {window}")
        self._key = _read_key(key)
        self._address = _core.keccak256(self._key)[12:]
        self._fixed_window = window
        # The address and the tables of G and of the key, which live as long as this.
        self._entry: tuple[bytes, _core.Points, _core.Points] | None = None
        self._n_seen = 0
        self._lock = Lock()

    @property
    def address(self) -> str:
        """The address, `0x` and hex digits with EIP-55's checksum."""
        return checksum_address(self._address)

    @property
    def public_key(self) -> bytes:
        """The public key: 65 bytes, 4, x and y."""
        return b"\x04" + self._key

    def verify_digests(
        self,
        digests: NDArray[np.uint8],
        signatures: NDArray[np.uint8],
        *,
        threads: int = 1,
        v_offset: int = 0,
    ) -> NDArray[np.bool_]:
        """Whether this signer signed each digest; arguments as in `recover_digests`.

        Returns bool, shape (n,).
        """
        rows, signed, offset = as_signed(digests, signatures, v_offset)
        known = _known_keys([self], len(rows))
        return _core.verify_digests(
            rows, signed, offset, self._address, library(), threads, known
        )

    def __repr__(self) -> str:
        return f"<KnownSigner: {self.address}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Its key goes to another process; that one makes tables of its own."""
        return partial(KnownSigner, window=self._fixed_window), (self.public_key,)

    def _take(self, n: int) -> tuple[bytes, _core.Points, _core.Points]:
        """The address and the tables, for n more signatures."""
        with self._lock:
            self._n_seen += n
            entry = self._entry
            window = self._fixed_window or (
                _FIRST_WINDOW if self._n_seen < _MANY else _SECOND_WINDOW
            )
            if entry is None or entry[1].window != window:
                points = _core.Points(self._key, window)
                entry = self._address, generator_points(window), points
                self._entry = entry
        return entry


Signer: TypeAlias = "Address | KnownSigner"
Signers: TypeAlias = "Signer | Iterable[Signer] | NDArray[Any]"
"""One signer or several: addresses, as `read_signers` takes them, and KnownSigners."""


def read_known_signers(signers: Signers) -> tuple[list[bytes], list[KnownSigner]]:
    """All addresses, sorted, and those of them that came with a key."""
    if isinstance(signers, KnownSigner):
        return [signers._address], [signers]
    is_array = isinstance(signers, np.ndarray) and signers.dtype != object
    if isinstance(signers, (str, bytes, bytearray)) or is_array:
        return read_signers(signers), []  # type: ignore[arg-type]
    if not isinstance(signers, Iterable):
        return read_signers(signers), []  # which says what is wrong
    items = list(signers)
    known = [item for item in items if isinstance(item, KnownSigner)]
    plain = [i._address if isinstance(i, KnownSigner) else i for i in items]
    return read_signers(plain), known


def choose(
    addresses: Sequence[bytes], given: Sequence[KnownSigner], batch: _core.BatchBase
) -> _core.KnownKeys | None:
    """The tables by which a batch is best verified; None where recovery is.

    given: the signers of `addresses` that came with a key. Others are remembered once
    enough of their signatures have been seen in this process.
    """
    if not isinstance(batch, _core.BatchBase):
        raise TypeError(f"a Batch is needed, not {type(batch).__name__}")
    n = len(batch.messages)
    found = {signer._address: signer for signer in given}
    missing = [address for address in addresses if address not in found]
    if missing and verify_path() != LIBRARY:
        for signer in _remembered.find(missing, batch):
            found[signer._address] = signer
    return _known_keys(list(found.values()), n)


def _known_keys(signers: Sequence[KnownSigner], n: int) -> _core.KnownKeys | None:
    if not signers or not n or verify_path() == LIBRARY:
        return None
    path = verify_path()
    ensure_checked(path)
    return _core.KnownKeys(path, tuple(signer._take(n) for signer in signers))


class _Remembered:
    """Signers found by their addresses; those not used for long are forgotten."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._signers: OrderedDict[bytes, KnownSigner] = OrderedDict()
        self._n_seen: OrderedDict[bytes, int] = OrderedDict()

    def find(
        self, addresses: Sequence[bytes], batch: _core.BatchBase
    ) -> list[KnownSigner]:
        """Those of the addresses that are remembered, or can be found in the batch."""
        with self._lock:
            n, wanted = len(batch.messages), []
            for address in addresses:
                if address in self._signers:
                    self._signers.move_to_end(address)
                elif self._count(address, n):
                    wanted.append(address)
            if wanted:
                self._look(set(wanted), batch)
            return [self._signers[a] for a in addresses if a in self._signers]

    def _count(self, address: bytes, n: int) -> bool:
        """Whether enough of its signatures have been seen, or asked for."""
        n_seen = self._n_seen.pop(address, 0) + n
        if n_seen >= _FEW:
            return True
        self._n_seen[address] = n_seen
        if len(self._n_seen) > _MAX_REMEMBERED:
            self._n_seen.popitem(last=False)
        return False

    def _look(self, wanted: set[bytes], batch: _core.BatchBase) -> None:
        if batch.payload_arena is None:
            return
        rows = np.flatnonzero(batch.messages["kind"])
        for k in random.sample(range(len(rows)), min(len(rows), _N_SAMPLES)):
            try:
                signer = KnownSigner(payload_bytes(batch, int(rows[k])))
            except SignatureError:
                continue
            if signer._address in wanted:
                wanted.discard(signer._address)
                self._signers[signer._address] = signer
                if len(self._signers) > _MAX_REMEMBERED:
                    self._signers.popitem(last=False)
            if not wanted:
                return


_remembered = _Remembered()


def _read_key(key: Any) -> bytes:
    """x and y of a public key, or of the one that has signed a payload."""
    from coincurve import PublicKey

    if isinstance(key, PublicKey):
        return key.format(compressed=False)[1:]
    if isinstance(key, str):
        key = _from_hex(key.removeprefix("0x"))
    if not isinstance(key, (bytes, bytearray, memoryview)):
        raise TypeError(
            "a public key or a payload is bytes, hex text or a coincurve.PublicKey, not"
            f" {type(key).__name__}"
        )
    data = bytes(key)
    if len(data) >= _MIN_PAYLOAD_LEN:
        return _recover_key(data)
    try:
        if (len(data), data[:1]) not in _KEY_FORMS:
            raise ValueError(f"{len(data)} bytes that begin with {data[:1].hex()!r}")
        return PublicKey(data).format(compressed=False)[1:]
    except ValueError as error:
        raise SignatureError(
            f"no public key of secp256k1 (33 or 65 bytes), and no payload: {error}"
        ) from error


def _from_hex(digits: str) -> bytes:
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        data = b""
    if len(data) * 2 != len(digits):  # white space is ignored there
        raise SignatureError("the key's or payload's text is not hexadecimal")
    return data


def _recover_key(payload: bytes) -> bytes:
    from coincurve import PublicKey

    try:
        _core.DecoderBase(_core.BatchBase, False, 1, True).decode_payloads(payload)
    except DecodeError as error:
        raise SignatureError(f"the payload is malformed: {error}") from error
    digest, signature = _core.keccak256(payload[65:]), payload[:65]
    rows = (
        np.frombuffer(digest, np.uint8).reshape(1, 32),
        np.frombuffer(signature, np.uint8).reshape(1, 65),
    )
    found = _core.recover_digests(*rows, 0, library(), 1)[0]
    if found["status"]:
        reason = ErrorCode(found["status"])
        raise SignatureError(f"the payload names no signer: {reason.description}")
    key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    return key.format(compressed=False)[1:]
