// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {StorkCore} from "./StorkCore.sol";

/// A StorkCore with further keys beside the first one, and a look at many ids at once.
contract MultiSignerStorkCore is StorkCore {
    address[] private keys;

    constructor(
        address key,
        uint256 validSeconds,
        uint256 fee
    ) StorkCore(key, validSeconds, fee) {}

    function addSigningAddress(address key) external onlyOwner {
        keys.push(key);
    }

    function isSigningAddress(address key) external view returns (bool) {
        for (uint256 i = 0; i < keys.length; ++i) {
            if (keys[i] == key) return true;
        }
        return key != address(0) && key == storkPublicKey;
    }

    function getTemporalNumericValuesUnsafeV1(
        bytes32[] calldata ids
    ) external view returns (TemporalNumericValue[] memory values) {
        values = new TemporalNumericValue[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) values[i] = _found(ids[i]);
    }

    function _isGood(
        TemporalNumericValueInput calldata input
    ) internal view override returns (bool) {
        for (uint256 i = 0; i < keys.length; ++i) {
            if (_isSignedBy(keys[i], input)) return true;
        }
        return super._isGood(input);
    }
}
