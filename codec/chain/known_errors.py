"""The errors with which contracts revert whose ABI nobody has to give."""

from __future__ import annotations

from typing import Final

__all__ = ["ERRORS", "MEANINGS", "PANICS"]

_VERIFIER = (
    "InsufficientFee()",
    "InvalidSignature()",
    "InvalidPayload()",
)
_STORK_CORE = (
    "NoFreshUpdate()",
    "NotFound()",
    "StaleValue()",
)
_OPENZEPPELIN = (
    "AccessControlBadConfirmation()",
    "AccessControlEnforcedDefaultAdminDelay(uint48 schedule)",
    "AccessControlEnforcedDefaultAdminRules()",
    "AccessControlInvalidDefaultAdmin(address defaultAdmin)",
    "AccessControlUnauthorizedAccount(address account, bytes32 neededRole)",
    "AddressEmptyCode(address target)",
    "BeaconInvalidImplementation(address implementation)",
    "ECDSAInvalidSignature()",
    "ECDSAInvalidSignatureLength(uint256 length)",
    "ECDSAInvalidSignatureS(bytes32 s)",
    "ERC1967InvalidAdmin(address admin)",
    "ERC1967InvalidBeacon(address beacon)",
    "ERC1967InvalidImplementation(address implementation)",
    "ERC1967NonPayable()",
    "ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)",
    "ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)",
    "ERC20InvalidApprover(address approver)",
    "ERC20InvalidReceiver(address receiver)",
    "ERC20InvalidSender(address sender)",
    "ERC20InvalidSpender(address spender)",
    "EnforcedPause()",
    "ExpectedPause()",
    "FailedCall()",
    "FailedDeployment()",
    "InsufficientBalance(uint256 balance, uint256 needed)",
    "InvalidInitialization()",
    "MissingPrecompile(address)",
    "NotInitializing()",
    "OwnableInvalidOwner(address owner)",
    "OwnableUnauthorizedAccount(address account)",
    "ProxyDeniedAdminAccess()",
    "ReentrancyGuardReentrantCall()",
    "SafeCastOverflowedIntDowncast(uint8 bits, int256 value)",
    "SafeCastOverflowedIntToUint(int256 value)",
    "SafeCastOverflowedUintDowncast(uint8 bits, uint256 value)",
    "SafeCastOverflowedUintToInt(uint256 value)",
    "SafeERC20FailedDecreaseAllowance(address spender, uint256 currentAllowance,"
    " uint256 requestedDecrease)",
    "SafeERC20FailedOperation(address token)",
    "UUPSUnauthorizedCallContext()",
    "UUPSUnsupportedProxiableUUID(bytes32 slot)",
)

ERRORS: Final = (*_VERIFIER, *_STORK_CORE, *_OPENZEPPELIN)
"""Those of Stork's verifier, of Stork Core and of OpenZeppelin Contracts 5."""

MEANINGS: Final = {
    "InsufficientFee": "the value sent is below the verifier's fee",
    "InvalidSignature": "no signer of the verifier signed the payload",
    "InvalidPayload": "the payload's length fits no whole number of assets",
    "NoFreshUpdate": "no update is newer than what the contract has",
    "NotFound": "the contract has no value of the asset",
    "StaleValue": "the asset's value is older than the contract allows",
    "EnforcedPause": "the contract is paused",
    "ExpectedPause": "the contract is not paused",
    "FailedCall": "a call that the contract made failed",
    "InsufficientBalance": "the contract has too little ether for what it does",
    "AddressEmptyCode": "there is no contract at that address",
    "OwnableUnauthorizedAccount": "only the contract's owner may do this",
    "AccessControlUnauthorizedAccount": "the account does not have the role",
    "ReentrancyGuardReentrantCall": "the contract was called from within its own call",
    "ECDSAInvalidSignature": "the signature is nobody's",
    "ECDSAInvalidSignatureLength": "a signature has 65 bytes",
    "ECDSAInvalidSignatureS": "s is above n / 2",
}
"""What an error means, where its name leaves that open."""

PANICS: Final = {
    0x00: "a fault that the compiler put in",
    0x01: "an assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "a number that its enum does not have",
    0x22: "bytes in storage are encoded wrongly",
    0x31: "pop of an empty array",
    0x32: "an index beyond the array's end",
    0x41: "too much memory, or too large an array",
    0x51: "a function variable that was never set",
}
"""Solidity's Panic codes."""
