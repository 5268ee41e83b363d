"""The codec in plain Python: oracle of the tests, and baseline of the benchmarks.

docs/messages.md and docs/signatures.md are the contract; "section" in these files means
a section of the former. Good messages cost one JSON parse, one `bytes.fromhex` and a
loop over the records; where a fault stands is worked out only after one was met.
"""

from codec.reference.batch import Batch
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
