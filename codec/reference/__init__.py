"""The codec in plain Python: oracle of the tests, and baseline of the benchmarks.

docs/messages.md and docs/signatures.md are the contract; "section" in these files means
a section of the former. Good messages cost one JSON parse, one `bytes.fromhex` and a
loop over the records; where a fault stands is worked out only after one was met.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from codec.reference.batch import Batch, Columns
from codec.reference.decoding import Decoder, decode, decode_lines, decode_payloads
from codec.reference.encoding import encode, to_frame
from codec.reference.keccak import keccak256, keccak256_batch
from codec.reference.latest import Latest, LatestTable
from codec.reference.monitor import Monitor
from codec.reference.resampling import Bars, bars, gaps
from codec.reference.signatures import (
    digests,
    eip191_digests,
    recover,
    recover_digests,
    verify,
)
from codec.reference.values import as_float, as_int

__all__ = [
    "Bars",
    "Batch",
    "Columns",
    "Decoder",
    "Latest",
    "LatestTable",
    "Monitor",
    "as_float",
    "as_int",
    "bars",
    "decode",
    "decode_lines",
    "decode_payloads",
    "digests",
    "eip191_digests",
    "encode",
    "gaps",
    "keccak256",
    "keccak256_batch",
    "recover",
    "recover_digests",
    "to_frame",
    "verify",
]

if _TYPE_CHECKING:
    from codec.reference.arrow import to_arrow as to_arrow


def __getattr__(name: str) -> _Any:
    """`to_arrow` needs pyarrow, and is loaded when it is asked for."""
    if name == "to_arrow":
        return _import_module("codec.reference.arrow").to_arrow
    raise AttributeError(f"module 'codec.reference' has no attribute {name!r}")
