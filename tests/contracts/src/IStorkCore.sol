// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// What a contract of Stork Core answers to.
interface IStorkCore {
    struct TemporalNumericValue {
        uint64 timestampNs;
        int192 quantizedValue;
    }

    struct TemporalNumericValueInput {
        TemporalNumericValue temporalNumericValue;
        bytes32 id;
        bytes32 publisherMerkleRoot;
        bytes32 valueComputeAlgHash;
        bytes32 r;
        bytes32 s;
        uint8 v;
    }

    struct PublisherSignature {
        address pubKey;
        string assetPairId;
        uint64 timestamp;
        uint256 quantizedValue;
        bytes32 r;
        bytes32 s;
        uint8 v;
    }

    event ValueUpdate(bytes32 indexed id, uint64 timestampNs, int192 quantizedValue);

    error InsufficientFee();
    error InvalidSignature();
    error NoFreshUpdate();
    error NotFound();
    error StaleValue();

    /// Keeps those that are newer than what is kept of their ids, of which there must be
    /// one; all must be well signed. The fee is for each that is kept.
    function updateTemporalNumericValuesV1(
        TemporalNumericValueInput[] calldata updateData
    ) external payable;

    /// The fee if all were kept.
    function getUpdateFeeV1(
        TemporalNumericValueInput[] calldata updateData
    ) external view returns (uint256);

    /// Whether each publisher signed, and the root is that of what they signed.
    /// Timestamps are in seconds; a negative value is given in two's complement.
    function verifyPublisherSignaturesV1(
        PublisherSignature[] calldata signatures,
        bytes32 merkleRoot
    ) external pure returns (bool);

    /// Reverts for a value that is older than the contract allows.
    function getTemporalNumericValueV1(
        bytes32 id
    ) external view returns (TemporalNumericValue memory);

    /// However old it is.
    function getTemporalNumericValueUnsafeV1(
        bytes32 id
    ) external view returns (TemporalNumericValue memory);
}
