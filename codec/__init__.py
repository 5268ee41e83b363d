"""Signed oracle data into numpy arrays: the Stork Fast wire format, exact and fast.

`decode`, `decode_lines` and `decode_payloads` give a `Batch` of structured arrays;
`recover` and `verify` judge the signatures as the chain does; `encode` and `to_frame`
go the other way. `codec.reference` is the same in plain Python.
"""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _find_spec("codec._core") is None:
    raise ImportError(
        f"the compiled core is not in {__path__[0]}. In a source tree, `make demo`"
        " builds it there; an installed stork-codec is found from other directories"
    )

from codec.addresses import checksum_address
from codec.api import (
    Decoder,
    as_float,
    as_int,
    decode,
    decode_lines,
    decode_payloads,
    encode,
    to_frame,
)
from codec.batch import Batch, Columns
from codec.dtypes import (
    BAR_DTYPE,
    ERROR_DTYPE,
    GAP_DTYPE,
    MESSAGE_DTYPE,
    NOTICE_DTYPE,
    SIGNER_DTYPE,
    UPDATE_DTYPE,
    VALUE_DTYPE,
)
from codec.errors import (
    BadSignatureError,
    ChainError,
    CodecError,
    DamageError,
    DecodeError,
    EncodeError,
    ErrorCode,
    ExportError,
    FeedAuthError,
    FeedClosed,
    FeedError,
    FeedProtocolError,
    IntegrityError,
    KeySourceError,
    MessageError,
    MissingDependencyError,
    NodeError,
    PayloadError,
    PushConfigError,
    RangeError,
    RecordingError,
    RefusedError,
    RevertedError,
    RpcError,
    SignatureError,
    TaxonomyError,
    WrongChainError,
)
from codec.integrity import self_test
from codec.known import KnownSigner
from codec.latest import Latest, LatestTable
from codec.monitor import Monitor
from codec.notices import NoticeKind
from codec.resampling import Bars, bars, gaps
from codec.signatures import (
    digests,
    eip191_digests,
    keccak256,
    keccak256_batch,
    recover,
    recover_digests,
    verify,
)
from codec.taxonomy import Taxonomy

__all__ = [
    "BAR_DTYPE",
    "ERROR_DTYPE",
    "GAP_DTYPE",
    "MESSAGE_DTYPE",
    "NOTICE_DTYPE",
    "SIGNER_DTYPE",
    "UPDATE_DTYPE",
    "VALUE_DTYPE",
    "BadSignatureError",
    "Bars",
    "Batch",
    "ChainError",
    "CodecError",
    "Columns",
    "DamageError",
    "DecodeError",
    "Decoder",
    "EncodeError",
    "ErrorCode",
    "ExportError",
    "FeedAuthError",
    "FeedClosed",
    "FeedError",
    "FeedProtocolError",
    "IntegrityError",
    "KeySourceError",
    "KnownSigner",
    "Latest",
    "LatestTable",
    "MessageError",
    "MissingDependencyError",
    "Monitor",
    "NodeError",
    "NoticeKind",
    "PayloadError",
    "PushConfigError",
    "RangeError",
    "RecordingError",
    "RefusedError",
    "RevertedError",
    "RpcError",
    "SignatureError",
    "Taxonomy",
    "TaxonomyError",
    "WrongChainError",
    "as_float",
    "as_int",
    "bars",
    "checksum_address",
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
    "self_test",
    "to_frame",
    "verify",
]

if _TYPE_CHECKING:
    from codec.arrow import to_arrow as to_arrow
    from codec.frames import decode_frames as decode_frames

__version__ = "0.1.0"


def __getattr__(name: str) -> _Any:
    """What is loaded when it is asked for: `reference`, and what needs pyarrow."""
    if name == "reference":
        return _import_module("codec.reference")
    if name == "to_arrow":
        return _import_module("codec.arrow").to_arrow
    if name == "decode_frames":
        return _import_module("codec.frames").decode_frames
    raise AttributeError(f"module 'codec' has no attribute {name!r}")
