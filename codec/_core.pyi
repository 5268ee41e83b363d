from collections.abc import Callable, Iterable
from typing import Any, Generic, Literal, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Buffer, disjoint_base

_Batch = TypeVar("_Batch", bound=BatchBase)

def struct_offsets() -> dict[str, list[int]]: ...
def instruction_sets() -> tuple[str, ...]: ...
def instruction_set() -> str: ...
def use_instruction_set(name: str) -> None: ...
def keccak256(data: Buffer) -> bytes: ...
def keccak256_batch(items: tuple[object, ...]) -> NDArray[np.uint8]: ...
def keccak256_rows(rows: NDArray[np.uint8]) -> NDArray[np.uint8]: ...
def eip191_digests(hashes: NDArray[np.uint8]) -> NDArray[np.uint8]: ...

@disjoint_base
class Buffers: ...

@disjoint_base
class BatchBase:
    def __init__(self, *args: object, **kwargs: object) -> None: ...
    @property
    def updates(self) -> NDArray[np.void]: ...
    @property
    def messages(self) -> NDArray[np.void]: ...
    @property
    def errors(self) -> NDArray[np.void]: ...
    @property
    def payload_arena(self) -> NDArray[np.uint8] | None: ...
    @property
    def signers(self) -> NDArray[np.void] | None: ...
    @property
    def verified(self) -> NDArray[np.bool_] | None: ...
    def copy(self) -> Self: ...
    def select(self, keep: ArrayLike) -> Self: ...
    def __len__(self) -> int: ...

@disjoint_base
class Spans:
    def __new__(cls, capacity: int) -> Self: ...

@disjoint_base
class Job:
    def __new__(cls, buffers: Buffers, stop: bool) -> Self: ...
    def run(self) -> int: ...

@disjoint_base
class Views: ...

@disjoint_base
class Secp256k1:
    def __new__(
        cls,
        context: int,
        signature_parse: int,
        recover: int,
        key_serialize: int,
        *,
        sizes: tuple[int, int],
        owners: object,
    ) -> Self: ...
    @property
    def owners(self) -> object: ...

def verify_paths() -> tuple[str, ...]: ...

@disjoint_base
class Points:
    def __new__(cls, key: bytes, window: int) -> Self: ...
    @property
    def window(self) -> int: ...
    @property
    def nbytes(self) -> int: ...

@disjoint_base
class KnownKeys:
    def __new__(
        cls, path: str, keys: tuple[tuple[bytes, Points, Points], ...]
    ) -> Self: ...

@disjoint_base
class Recovery:
    def run(self) -> None: ...

@disjoint_base
class Judge:
    def __new__(
        cls,
        library: Secp256k1,
        addresses: bytes,
        choose: Callable[[BatchBase], KnownKeys | None],
        is_raising: bool,
        is_dropping: bool,
    ) -> Self: ...

def batch_digests(batch: BatchBase) -> NDArray[np.uint8]: ...
def recover_batch(
    batch: BatchBase, library: Secp256k1, threads: int
) -> NDArray[np.void]: ...
def verify_batch(
    batch: BatchBase,
    addresses: bytes,
    library: Secp256k1,
    threads: int,
    known: KnownKeys | None = None,
) -> NDArray[np.bool_]: ...
def verify_digests(
    digests: NDArray[np.uint8],
    signatures: NDArray[np.uint8],
    v_offset: int,
    addresses: bytes,
    library: Secp256k1,
    threads: int,
    known: KnownKeys | None = None,
) -> NDArray[np.bool_]: ...
def recover_digests(
    digests: NDArray[np.uint8],
    signatures: NDArray[np.uint8],
    v_offset: int,
    library: Secp256k1,
    threads: int,
) -> NDArray[np.void]: ...

@disjoint_base
class DecoderBase(Generic[_Batch]):
    def __new__(
        cls,
        batch_type: type[_Batch],
        payloads: bool,
        threads: int,
        once: bool,
        judge: Judge | None = None,
    ) -> Self: ...
    def decode(
        self,
        messages: bytes | bytearray | memoryview | str | Iterable[object],
        *,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> _Batch: ...
    def decode_lines(
        self, buffer: Buffer, *, on_error: Literal["raise", "skip"] = "raise"
    ) -> _Batch: ...
    def decode_payloads(
        self,
        payloads: bytes | bytearray | memoryview | Iterable[object],
        *,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> _Batch: ...

def payload_pack(
    asset_ids: object,
    values: object,
    timestamp_ns: object,
    taxonomy_id: object,
    statuses: object,
) -> bytes | None: ...
def frame_write(payload: Buffer) -> bytes: ...
def values_to_float(values: NDArray[Any]) -> NDArray[np.float64]: ...
def values_to_int(values: NDArray[Any]) -> NDArray[np.object_]: ...
def values_from_ints(values: Iterable[object]) -> NDArray[np.void]: ...
def uints_from_ints(values: Iterable[object], dtype: np.dtype[Any]) -> NDArray[Any]: ...
