// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IFastVerifier} from "./IFastVerifier.sol";

/// Checks in this order: fee, length, v, signature. Who may sign is left to the heir.
/// Who deploys it owns it, and may change the fee.
///
///   0  r (32), s (32), v (1): signature of keccak256(payload[65:])
///  65  taxonomy id (2), timestamp in ns (8)
///  75  asset id (2), value (16), of each asset
abstract contract FastVerifier is IFastVerifier, Ownable {
    uint256 private constant SIGNED_AT = 65;
    uint256 private constant TIMESTAMP_AT = 67;
    uint256 private constant ASSETS_AT = 75;
    uint256 private constant ASSET_LEN = 18;

    uint256 public verificationFeeInWei;
    string public constant version = "1.0.0";

    constructor(uint256 fee) Ownable(msg.sender) {
        verificationFeeInWei = fee;
    }

    function setFee(uint256 fee) external onlyOwner {
        verificationFeeInWei = fee;
    }

    function verifySignedECDSAPayload(
        bytes calldata payload
    ) external payable returns (bool) {
        return _isGood(payload);
    }

    function verifyAndDeserializeSignedECDSAPayload(
        bytes calldata payload
    ) external payable returns (Asset[] memory) {
        if (!_isGood(payload)) revert InvalidSignature();
        return _assets(payload);
    }

    function _isSigner(address account) internal view virtual returns (bool);

    function _isGood(bytes calldata payload) private view returns (bool) {
        if (msg.value < verificationFeeInWei) revert InsufficientFee();
        if (
            payload.length < ASSETS_AT ||
            (payload.length - ASSETS_AT) % ASSET_LEN != 0
        ) revert InvalidPayload();
        // Checked: 229 and more leave uint8, which is Panic(0x11).
        uint8 v = uint8(payload[64]) + 27;
        (address signer, ECDSA.RecoverError fault, ) = ECDSA.tryRecover(
            keccak256(payload[SIGNED_AT:]),
            v,
            bytes32(payload[0:32]),
            bytes32(payload[32:64])
        );
        return fault == ECDSA.RecoverError.NoError && _isSigner(signer);
    }

    function _assets(
        bytes calldata payload
    ) private pure returns (Asset[] memory assets) {
        uint256 count = (payload.length - ASSETS_AT) / ASSET_LEN;
        uint64 timestampNs = uint64(bytes8(payload[TIMESTAMP_AT:ASSETS_AT]));
        // From 65,536 on the array is too short for the loop, which is Panic(0x32).
        assets = new Asset[](uint16(count));
        for (uint256 i = 0; i < count; ++i) {
            bytes calldata entry = payload[ASSETS_AT + i * ASSET_LEN:];
            assets[i] = Asset(
                uint16(bytes2(entry)),
                TemporalValue(timestampNs, int128(uint128(bytes16(entry[2:]))))
            );
        }
    }
}
