"""The exception tree, and the codes by which a fault in the input is named.

docs/messages.md, docs/aggregator.md and docs/signatures.md say which input gets which
code, and at which byte.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BadSignatureError",
    "ChainError",
    "CodecError",
    "DamageError",
    "DecodeError",
    "EncodeError",
    "ErrorCode",
    "ExportError",
    "FeedAuthError",
    "FeedClosed",
    "FeedError",
    "FeedProtocolError",
    "IntegrityError",
    "KeySourceError",
    "MessageError",
    "MissingDependencyError",
    "NodeError",
    "PayloadError",
    "PushConfigError",
    "RangeError",
    "RecordingError",
    "RefusedError",
    "RevertedError",
    "RpcError",
    "SignatureError",
    "TaxonomyError",
    "WrongChainError",
]


class ErrorCode(IntEnum):
    """What is wrong with a message, from UNSIGNED on with its signature.

    `str()` gives the lower-case name.
    """

    EMPTY = 1
    PYTHON_TYPE = 2
    INVALID_UTF8 = 3
    INVALID_JSON = 4
    TOO_DEEP = 5
    DUPLICATE_KEY = 6
    NOT_DATA = 7
    MISSING_FIELD = 8
    WRONG_TYPE = 9
    INVALID_NUMBER = 10
    OUT_OF_RANGE = 11
    INVALID_HEX = 12
    ODD_HEX = 13
    INVALID_LENGTH = 14
    UNKNOWN_VERSION = 15
    UNKNOWN_MASK = 16
    INVALID_RECEIVE_TIME = 17
    TOO_LARGE = 18
    UNSIGNED = 19
    INVALID_V = 20
    SCALAR_RANGE = 21
    HIGH_S = 22
    NO_POINT = 23
    WRONG_SIGNER = 24
    UNTRUSTED_SIGNER = 25
    MISMATCH = 26
    UNSUPPORTED_SIGNATURE_TYPE = 27

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def description(self) -> str:
        """One sentence for people."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    ErrorCode.EMPTY: "the message is empty",
    ErrorCode.PYTHON_TYPE: (
        "a message is bytes, bytearray, a contiguous memoryview of bytes or str"
        " (a binary payload: the same without str)"
    ),
    ErrorCode.INVALID_UTF8: "the text is not UTF-8",
    ErrorCode.INVALID_JSON: "not a JSON object: the text goes wrong here, or ends",
    ErrorCode.TOO_DEEP: "objects and arrays nest more than 64 deep",
    ErrorCode.DUPLICATE_KEY: "a key stands twice in one object",
    ErrorCode.NOT_DATA: "a message of a type that carries no prices",
    ErrorCode.MISSING_FIELD: "a field is missing that messages of this type have",
    ErrorCode.WRONG_TYPE: "a field has a value of the wrong JSON type",
    ErrorCode.INVALID_NUMBER: "not a plain decimal integer",
    ErrorCode.OUT_OF_RANGE: "an integer outside the range of its field",
    ErrorCode.INVALID_HEX: "not a hexadecimal digit",
    ErrorCode.ODD_HEX: "an odd number of hexadecimal digits",
    ErrorCode.INVALID_LENGTH: "a length that no payload, or no such field, can have",
    ErrorCode.UNKNOWN_VERSION: "a payload version other than 2",
    ErrorCode.UNKNOWN_MASK: "an attribute mask with an unknown bit or without price",
    ErrorCode.INVALID_RECEIVE_TIME: (
        "the receive time has a leading zero or does not fit uint64"
    ),
    ErrorCode.TOO_LARGE: (
        "more bytes or entries than can be counted, or a name that finds no place"
    ),
    ErrorCode.UNSIGNED: "the message carries no signature",
    ErrorCode.INVALID_V: "the recovery id v is neither 0 nor 1",
    ErrorCode.SCALAR_RANGE: "r or s is zero, or not below the group order n",
    ErrorCode.HIGH_S: "s is above n / 2",
    ErrorCode.NO_POINT: "no public key belongs to this r, s and v",
    ErrorCode.WRONG_SIGNER: "signed by another key, or changed since it was signed",
    ErrorCode.UNTRUSTED_SIGNER: "signed well, but by none of the signers asked for",
    ErrorCode.MISMATCH: "not what the fields beside it give",
    ErrorCode.UNSUPPORTED_SIGNATURE_TYPE: "a signature that cannot be checked here",
}


class CodecError(Exception):
    """Base of every exception that this package defines."""


class DecodeError(CodecError, ValueError):
    """A message that cannot be decoded.

    code: what is wrong. index: which message of the input, from 0. offset: which
    byte of that message, from 0 (docs/messages.md says where each code points).
    """

    def __init__(self, code: ErrorCode | int, index: int, offset: int) -> None:
        self.code = ErrorCode(code)
        self.index = index
        self.offset = offset
        super().__init__(self.code, index, offset)

    def __str__(self) -> str:
        return (
            f"{self.code.description}"
            f" [{self.code}, message {self.index}, byte {self.offset}]"
        )


class EncodeError(CodecError, ValueError):
    """A field that does not fit the payload.

    code: `OUT_OF_RANGE` or `INVALID_LENGTH`. field: the argument's name. index: which
    of its values, or None where the argument is a single value.
    """

    def __init__(
        self, code: ErrorCode, field: str, index: int | None, reason: str
    ) -> None:
        self.code = ErrorCode(code)
        self.field = field
        self.index = index
        self.reason = reason
        super().__init__(self.code, field, index, reason)

    def __str__(self) -> str:
        place = self.field if self.index is None else f"{self.field}[{self.index}]"
        return f"{self.reason} [{self.code}, {place}]"


class SignatureError(CodecError, ValueError):
    """A key or a signer's address that cannot be used, or a bad signature."""


class BadSignatureError(SignatureError):
    """A message whose signature the chain would refuse, or that is not the signer's.

    code: what is wrong, UNSIGNED .. WRONG_SIGNER. index: which message of the input,
    from 0. offset: which byte of its payload (docs/signatures.md).
    """

    def __init__(self, code: ErrorCode | int, index: int, offset: int) -> None:
        self.code = ErrorCode(code)
        self.index = index
        self.offset = offset
        super().__init__(self.code, index, offset)

    def __str__(self) -> str:
        return (
            f"{self.code.description}"
            f" [{self.code}, message {self.index}, byte {self.offset} of its payload]"
        )


class IntegrityError(CodecError):
    """A check of this package on itself, or on a library it stands on, failed."""


class FeedError(CodecError):
    """A live feed failed."""


class FeedClosed(FeedError):
    """The feed was closed."""


class FeedProtocolError(FeedError):
    """The other side does not speak the protocol."""


class FeedAuthError(FeedError):
    """The other side refused the credentials."""


class PayloadError(FeedError, ValueError):
    """A payload of a stream that is no JSON object, or costs too much to read.

    stream: its id. reason: in words.
    """

    def __init__(self, stream: str, reason: str) -> None:
        self.stream = stream
        self.reason = reason
        super().__init__(stream, reason)

    def __str__(self) -> str:
        return f"{self.stream}: {self.reason}"


class RecordingError(CodecError):
    """A recording cannot be begun, or there is none where one is asked for."""


class DamageError(RecordingError):
    """A recording is damaged or ends too early.

    path: the file. offset: the byte of the file, from 0, where the damage begins.
    is_at_end: whether nothing that can be read comes after it.
    """

    def __init__(
        self, path: str, offset: int, reason: str, is_at_end: bool = False
    ) -> None:
        self.path = path
        self.offset = offset
        self.reason = reason
        self.is_at_end = is_at_end
        super().__init__(path, offset, reason, is_at_end)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason} [byte {self.offset}]"


class ExportError(CodecError):
    """An output cannot be made where it is asked for, or an input is of no use."""


class MessageError(ExportError, ValueError):
    """A message of an archive that is bad, where bad ones are not to be passed over.

    path: the file. line: its number in the file, from 1. offset: the byte of the
    message, from 0; of its payload where the signature is bad; None where the message
    as a whole does not fit. text_offset: the byte of the file's text (decompressed)
    where the line begins; None where it is not known. code: as `ErrorCode` is spelled,
    or "overflow". reason: in words.
    """

    def __init__(
        self,
        path: str,
        line: int,
        offset: int | None,
        text_offset: int | None,
        code: str,
        reason: str,
        is_of_payload: bool = False,
    ) -> None:
        self.path = path
        self.line = line
        self.offset = offset
        self.text_offset = text_offset
        self.code = code
        self.reason = reason
        self.is_of_payload = is_of_payload
        super().__init__(path, line, offset, text_offset, code, reason, is_of_payload)

    def __str__(self) -> str:
        place = "" if self.offset is None else f", byte {self.offset} of the "
        if place:
            place += "payload" if self.is_of_payload else "message"
        if self.text_offset is not None:
            place += f"; the line begins at byte {self.text_offset}"
        return f"{self.path}: line {self.line}: {self.reason} [{self.code}{place}]"


class RangeError(CodecError, OverflowError):
    """A value that the type asked for cannot hold. index: its row."""

    def __init__(self, index: int, reason: str) -> None:
        self.index = index
        self.reason = reason
        super().__init__(index, reason)

    def __str__(self) -> str:
        return f"{self.reason} [update {self.index}]"


class TaxonomyError(CodecError, ValueError):
    """A list of assets that cannot be read, or contradicts itself."""


class ChainError(CodecError):
    """A call to a chain, or a transaction, failed.

    Nodes are named by scheme://host:port alone: the rest of a URL may be a secret.
    """


class RpcError(ChainError):
    """The error that a node answered with.

    code, message, data: as the node gave them, the message cut to a line. method: what
    it was asked. endpoint: the node.
    """

    def __init__(
        self, code: int, message: str, data: object, method: str, endpoint: str
    ) -> None:
        self.code = code
        self.message = message
        self.data = data
        self.method = method
        self.endpoint = endpoint
        super().__init__(code, message, data, method, endpoint)

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.message} [{self.code}, {self.method}]"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"  # the data may be megabytes


class NodeError(ChainError):
    """There was no usable answer: no connection, no time left, no JSON, no sense.

    endpoint: the node, or all that were asked. reason: for people, what each of them
    did. method: what was asked. is_unsent: whether it is certain that no request left.
    """

    def __init__(
        self, endpoint: str, reason: str, method: str, is_unsent: bool = False
    ) -> None:
        self.endpoint = endpoint
        self.reason = reason
        self.method = method
        self.is_unsent = is_unsent
        super().__init__(endpoint, reason, method, is_unsent)

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.reason} [{self.method}]"


class WrongChainError(ChainError):
    """A node of another chain, or without the contract that is expected there.

    endpoint: the node. expected, found: for people, "chain 1" and "chain 5".
    """

    def __init__(self, endpoint: str, expected: str, found: str) -> None:
        self.endpoint = endpoint
        self.expected = expected
        self.found = found
        super().__init__(endpoint, expected, found)

    def __str__(self) -> str:
        return f"{self.endpoint}: expected {self.expected}, found {self.found}"


class RevertedError(ChainError):
    """A call reverted. revert: the `codec.chain.Revert` that says why."""

    def __init__(self, revert: Any) -> None:
        self.revert = revert
        super().__init__(revert)

    def __str__(self) -> str:
        return str(self.revert)


class RefusedError(ChainError):
    """A payload, or price updates, were refused before they were sent.

    result: the `codec.chain.Forecast` that says why.
    """

    def __init__(self, result: Any) -> None:
        self.result = result
        super().__init__(result)

    def __str__(self) -> str:
        return str(self.result)


class KeySourceError(ChainError):
    """A private key cannot be read from where it is said to be.

    The text names the place and never holds a part of the key.
    """


class PushConfigError(ChainError):
    """A configuration that cannot be used. faults: all of them, "path: place: what"."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(self.faults)


class MissingDependencyError(CodecError, ImportError):
    """An optional package is not installed; the text says which extra has it."""
