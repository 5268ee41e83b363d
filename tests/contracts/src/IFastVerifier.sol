// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// What every verifier here answers to.
interface IFastVerifier {
    struct TemporalValue {
        uint64 timestampNs;
        int192 quantizedValue;
    }

    struct Asset {
        uint16 assetID;
        TemporalValue temporalValue;
    }

    error InsufficientFee();
    error InvalidSignature();
    error InvalidPayload();

    function verificationFeeInWei() external view returns (uint256);

    function version() external view returns (string memory);

    /// Whether a signer of this contract signed the payload.
    function verifySignedECDSAPayload(
        bytes calldata payload
    ) external payable returns (bool);

    /// The payload's assets; reverts unless a signer of this contract signed it.
    function verifyAndDeserializeSignedECDSAPayload(
        bytes calldata payload
    ) external payable returns (Asset[] memory);
}
