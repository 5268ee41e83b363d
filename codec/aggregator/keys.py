"""Keys of those who sign often, so that their signatures need no recovery."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from codec import _core
from codec.integrity import ensure_checked
from codec.known import KnownSigner
from codec.tables import LIBRARY, verify_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import NDArray

    _Shown = tuple[_core.KnownKeys | None, NDArray[np.uint64]]

__all__ = ["KeyRing", "remembered"]

# A table of the first window (0.25 MB) takes as long to build as twenty recoveries.
_FEW = 32
_FIRST_WINDOW, _SECOND_WINDOW = 8, 13
# At most 32 MB of tables of the first window, 40 MB of the second.
_MOST_KEYS, _MOST_SECOND = 128, 8
_MOST_COUNTED = 1024
# Signatures between two looks at who signs how often. The second window takes a tenth
# to a third off the time of a signature, for 5 MB and 17 ms of building: for those who
# sign most, where hundreds of signatures come at once.
_REVIEW = 8192
_LARGE = 256
_V_OFFSET = 27


@dataclass(slots=True)
class _Key:
    signer: KnownSigner
    n_seen: float  # lately: halved at every review
    window: int


class KeyRing:
    """Signers by address, learnt from good signatures; bounded, for any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: dict[bytes, _Key] = {}
        self._n_good: OrderedDict[bytes, int] = OrderedDict()
        self._path = LIBRARY
        self._addresses: list[bytes] = []
        # In one piece: `take` holds no lock.
        self._shown: _Shown = (None, np.zeros(1, np.uint64))
        self._n_calls = 0

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, address: bytes) -> bool:
        return address in self._keys

    def take(self) -> _Shown:
        """The keys, sorted by address (None: there are none to be used), and an array
        in which whoever uses them counts: a number for each, and their sum."""
        self._n_calls += 1
        is_due = self._shown[1][-1] >= _REVIEW or self._path != verify_path()
        if is_due and self._enter():
            try:
                self._review()
                self._publish()
            finally:
                self._lock.release()
        return self._shown

    def add(self, signers: Iterable[KnownSigner]) -> None:
        """Remembers signers whose keys are known already, as many as there is room
        for. None of them makes room for another, or every call would build tables."""
        given = {s._address: s for s in islice(signers, _MOST_KEYS)}
        if all(address in self._keys for address in given) or not self._enter():
            return
        try:
            for address, signer in given.items():
                if address not in self._keys:
                    self._keep(signer.public_key, given)
            self._publish()
        finally:
            self._lock.release()

    def learn(
        self,
        addresses: NDArray[np.uint8],
        digests: NDArray[np.uint8],
        signatures: NDArray[np.uint8],
    ) -> None:
        """Takes good signatures of signers without a key into account."""
        if verify_path() == LIBRARY or not self._enter():
            return
        found = False
        try:
            for i, row in enumerate(addresses):
                address = row.tobytes()
                if address not in self._keys and self._count(address):
                    found = True
                    self._keep(_find_key(digests[i].tobytes(), signatures[i].tobytes()))
            if found:
                self._publish()
        finally:
            self._lock.release()

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._keys.clear()
            self._n_good.clear()
            self._publish()

    def _enter(self) -> bool:
        """Takes the lock, unless it is held: nobody waits for it (in a forked child
        perhaps for ever). What is not learnt now is learnt from later signatures."""
        return self._lock.acquire(blocking=False)

    def _count(self, address: bytes) -> bool:
        """Whether enough of its signatures have been good."""
        n_good = self._n_good.pop(address, 0) + 1
        if n_good >= _FEW:
            return True
        self._n_good[address] = n_good
        if len(self._n_good) > _MOST_COUNTED:
            self._n_good.popitem(last=False)
        return False

    def _keep(self, key: bytes, spared: Collection[bytes] = ()) -> None:
        while len(self._keys) >= _MOST_KEYS:
            others = (address for address in self._keys if address not in spared)
            del self._keys[min(others, key=lambda a: self._keys[a].n_seen)]
        signer = KnownSigner(key, window=_FIRST_WINDOW)
        self._keys[signer._address] = _Key(signer, _FEW, _FIRST_WINDOW)

    def _review(self) -> None:
        """Large tables for those who are seen most, where many come at once."""
        *counts, n_total = self._shown[1].tolist()
        for address, n in zip(self._addresses, counts, strict=True):
            if address in self._keys:
                self._keys[address].n_seen = self._keys[address].n_seen / 2 + n
        if n_total < _LARGE * self._n_calls:
            return
        busiest = sorted(self._keys.values(), key=lambda key: -key.n_seen)
        for place, key in enumerate(busiest):
            is_large = place < _MOST_SECOND and key.n_seen >= _REVIEW / _MOST_SECOND
            window = _SECOND_WINDOW if is_large else _FIRST_WINDOW
            if window > key.window or place >= _MOST_SECOND:
                self._resize(key, window)

    def _resize(self, key: _Key, window: int) -> None:
        if window != key.window:
            key.signer = KnownSigner(key.signer.public_key, window=window)
            key.window = window

    def _publish(self) -> None:
        """Shows what is remembered now to those who `take` it."""
        self._path = verify_path()
        self._addresses = sorted(self._keys)
        self._n_calls = 0
        known = None
        if self._keys and self._path != LIBRARY:
            ensure_checked(self._path)
            tables = tuple(self._keys[a].signer._take(1) for a in self._addresses)
            known = _core.KnownKeys(self._path, tables)
        self._shown = known, np.zeros(len(self._addresses) + 1, np.uint64)


def _find_key(digest: bytes, signature: bytes) -> bytes:
    """The public key by which a good signature was made."""
    from coincurve import PublicKey

    key = PublicKey.from_signature_and_message(
        signature[:64] + bytes([signature[64] - _V_OFFSET]), digest, hasher=None
    )
    return key.format(compressed=False)


remembered = KeyRing()
"""Those whom all decoding calls of this process share."""
