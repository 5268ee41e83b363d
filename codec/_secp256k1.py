"""libsecp256k1's own functions, taken from the library that coincurve ships.

The only module that knows coincurve's insides. The C loop calls these functions
directly, without the GIL; they are tried on known answers before they are trusted.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from codec import _core
from codec.errors import ErrorCode, IntegrityError

__all__ = ["library"]

# Of SHA-256("abc"): signatures by the keys 1 and 2 (nonces by RFC 6979, one with v 1
# and one with v 0), and an r that no point has.
_DIGEST = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
_SIGNATURES = (
    "75601b1385909ea698e3fd6e26e5fa5105127bd2299d3ab0b9d9f93df5b8b99c"
    "28ae7cc8f969e6b6fb1feac477818a75a46e8c364e88dfdc9880e1a5175c4bd1"
    "01",
    "0c0592ae9e9204fb767468714c417fda6663a2f54ae74180a829f91b1ec443e0"
    "0ca2f735732f71f3cc5b0c2b73315c0cf67ac814200562a6bcbd61af472fe37e"
    "00",
    "0000000000000000000000000000000000000000000000000000000000000005"
    "0000000000000000000000000000000000000000000000000000000000000001"
    "00",
)
_ADDRESSES = (
    "7e5f4552091a69125d5dfcb7b8c2659029395bdf",
    "2b5ad5c4795c026514f8317c7a215e218dccd6cf",
    "0000000000000000000000000000000000000000",
)


@cache
def library() -> _core.Secp256k1:
    """The functions that the C loop needs; they and all they use live as long as it.

    Raises IntegrityError where they do not give the known answers.
    """
    from coincurve._libsecp256k1 import ffi, lib

    def address(name: str) -> int:
        return int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))

    sizes = (
        ffi.sizeof("secp256k1_ecdsa_recoverable_signature"),
        ffi.sizeof("secp256k1_pubkey"),
    )
    # The static context is enough for all that needs no secret, and is never freed.
    found = _core.Secp256k1(
        int(ffi.cast("uintptr_t", lib.secp256k1_context_static)),
        address("secp256k1_ecdsa_recoverable_signature_parse_compact"),
        address("secp256k1_ecdsa_recover"),
        address("secp256k1_ec_pubkey_serialize"),
        sizes=sizes,
        owners=(ffi, lib),
    )
    _check(found)
    return found


def _check(found: _core.Secp256k1) -> None:
    n = len(_SIGNATURES)
    digests = np.frombuffer(bytes.fromhex(_DIGEST) * n, np.uint8).reshape(n, 32)
    signatures = np.frombuffer(bytes.fromhex("".join(_SIGNATURES)), np.uint8)
    signers = _core.recover_digests(digests, signatures.reshape(n, 65), 0, found, 1)
    is_right = signers["address"].tobytes().hex() == "".join(_ADDRESSES)
    if not is_right or signers["status"].tolist() != [0, 0, ErrorCode.NO_POINT]:
        raise IntegrityError(
            "coincurve's libsecp256k1 does not give the known signers: it is damaged,"
            " or its interface has changed"
        )
