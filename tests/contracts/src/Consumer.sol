// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IFastVerifier} from "./IFastVerifier.sol";

/// Verifies a payload and keeps the newest value of each of its assets.
contract Consumer {
    struct Request {
        uint64 maxAgeNs;
        bytes payload;
    }

    IFastVerifier public immutable verifier;

    /// By asset id.
    mapping(uint16 => IFastVerifier.TemporalValue) public latest;
    /// How often a payload was taken, by keccak256 of all its bytes.
    mapping(bytes32 => uint256) public uses;
    uint256 public totalUses;

    error TooOld(uint64 timestampNs);

    constructor(address verifierAddress) {
        verifier = IFastVerifier(verifierAddress);
    }

    /// The fee comes with the call, and all of it goes to the verifier.
    function push(bytes calldata payload, uint64 maxAgeNs) external payable {
        _push(payload, maxAgeNs);
    }

    function pushRequest(Request calldata request) external payable {
        _push(request.payload, request.maxAgeNs);
    }

    function _push(bytes calldata payload, uint64 maxAgeNs) private {
        IFastVerifier.Asset[] memory assets = verifier
            .verifyAndDeserializeSignedECDSAPayload{value: msg.value}(payload);
        uint256 nowNs = block.timestamp * 1e9;
        for (uint256 i = 0; i < assets.length; ++i) {
            IFastVerifier.TemporalValue memory value = assets[i].temporalValue;
            if (nowNs > uint256(value.timestampNs) + maxAgeNs) {
                revert TooOld(value.timestampNs);
            }
            if (value.timestampNs >= latest[assets[i].assetID].timestampNs) {
                latest[assets[i].assetID] = value;
            }
        }
        ++uses[keccak256(payload)];
        ++totalUses;
    }
}
