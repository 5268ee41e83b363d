"""Who signs payloads in the tests, and what verifying them costs."""

from eth_utils import to_checksum_address
from signed_payloads import address_of

SIGNER_KEY = bytes.fromhex("5eed" * 16)
OTHER_SIGNER_KEY = bytes.fromhex("0dd5" * 16)
SIGNER = to_checksum_address(address_of(SIGNER_KEY))
OTHER_SIGNER = to_checksum_address(address_of(OTHER_SIGNER_KEY))
FEE = 3
