// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IStorkCore} from "./IStorkCore.sol";

/// Keeps the newest signed value of each id, for a fee. Who deploys it owns it, and may
/// change the key, the fee and the time for which a value is good.
contract StorkCore is IStorkCore, Ownable {
    address public storkPublicKey;
    uint256 public singleUpdateFeeInWei;
    uint256 public validTimePeriodSeconds;

    mapping(bytes32 => TemporalNumericValue) private newest;

    constructor(address key, uint256 validSeconds, uint256 fee) Ownable(msg.sender) {
        storkPublicKey = key;
        validTimePeriodSeconds = validSeconds;
        singleUpdateFeeInWei = fee;
    }

    function updateStorkPublicKey(address key) external onlyOwner {
        storkPublicKey = key;
    }

    function updateSingleUpdateFeeInWei(uint256 fee) external onlyOwner {
        singleUpdateFeeInWei = fee;
    }

    function updateValidTimePeriodSeconds(uint256 validSeconds) external onlyOwner {
        validTimePeriodSeconds = validSeconds;
    }

    /// Signatures are checked of those too that are not kept. What is paid beyond the fee
    /// stays here.
    function updateTemporalNumericValuesV1(
        TemporalNumericValueInput[] calldata updateData
    ) external payable {
        uint16 kept = 0;
        for (uint256 i = 0; i < updateData.length; ++i) {
            if (!_isGood(updateData[i])) revert InvalidSignature();
            if (_keep(updateData[i])) ++kept;
        }
        if (kept == 0) revert NoFreshUpdate();
        if (msg.value < kept * singleUpdateFeeInWei) revert InsufficientFee();
    }

    function getUpdateFeeV1(
        TemporalNumericValueInput[] calldata updateData
    ) external view returns (uint256) {
        return updateData.length * singleUpdateFeeInWei;
    }

    function verifyPublisherSignaturesV1(
        PublisherSignature[] calldata signatures,
        bytes32 merkleRoot
    ) external pure returns (bool) {
        bytes32[] memory level = new bytes32[](signatures.length);
        for (uint256 i = 0; i < signatures.length; ++i) {
            PublisherSignature calldata one = signatures[i];
            level[i] = keccak256(
                abi.encodePacked(
                    one.pubKey,
                    one.assetPairId,
                    uint256(one.timestamp),
                    one.quantizedValue
                )
            );
            if (_signer(level[i], one.r, one.s, one.v) != one.pubKey) return false;
        }
        return _root(level) == merkleRoot;
    }

    function getTemporalNumericValueV1(
        bytes32 id
    ) external view returns (TemporalNumericValue memory value) {
        value = _found(id);
        uint256 since = value.timestampNs / 1e9;
        if (block.timestamp > since + validTimePeriodSeconds) revert StaleValue();
    }

    function getTemporalNumericValueUnsafeV1(
        bytes32 id
    ) external view returns (TemporalNumericValue memory) {
        return _found(id);
    }

    /// Whether the input was signed by a key of this contract, which is part of what is
    /// signed.
    function _isGood(
        TemporalNumericValueInput calldata input
    ) internal view virtual returns (bool) {
        return _isSignedBy(storkPublicKey, input);
    }

    function _isSignedBy(
        address key,
        TemporalNumericValueInput calldata input
    ) internal pure returns (bool) {
        if (input.v != 27 && input.v != 28) return false;
        bytes32 digest = keccak256(
            abi.encodePacked(
                key,
                input.id,
                uint256(input.temporalNumericValue.timestampNs),
                int256(input.temporalNumericValue.quantizedValue),
                input.publisherMerkleRoot,
                input.valueComputeAlgHash
            )
        );
        return _signer(digest, input.r, input.s, input.v) == key;
    }

    function _found(
        bytes32 id
    ) internal view returns (TemporalNumericValue memory value) {
        value = newest[id];
        if (value.timestampNs == 0) revert NotFound();
    }

    function _keep(TemporalNumericValueInput calldata input) private returns (bool) {
        TemporalNumericValue calldata value = input.temporalNumericValue;
        if (value.timestampNs <= newest[input.id].timestampNs) return false;
        newest[input.id] = value;
        emit ValueUpdate(input.id, value.timestampNs, value.quantizedValue);
        return true;
    }

    /// Reverts where nobody can have signed, and for a high s.
    function _signer(
        bytes32 digest,
        bytes32 r,
        bytes32 s,
        uint8 v
    ) private pure returns (address) {
        return ECDSA.recover(MessageHashUtils.toEthSignedMessageHash(digest), v, r, s);
    }

    /// Of a binary tree, on each level of which the last one may stand for two.
    function _root(bytes32[] memory level) private pure returns (bytes32) {
        uint256 n = level.length;
        require(n > 0, "no leaves");
        for (; n > 1; n = (n + 1) / 2) {
            for (uint256 i = 0; i < n; i += 2) {
                bytes32 right = level[i + 1 < n ? i + 1 : i];
                level[i / 2] = keccak256(abi.encodePacked(level[i], right));
            }
        }
        return level[0];
    }
}
