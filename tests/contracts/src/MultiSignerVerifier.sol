// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {FastVerifier} from "./FastVerifier.sol";

/// A verifier with up to eight signers, which the owner may change.
contract MultiSignerVerifier is FastVerifier {
    uint256 public constant MAX_SIGNERS = 8;

    address[] private signers;

    error TooManySigners();

    constructor(address[] memory first, uint256 fee) FastVerifier(fee) {
        for (uint256 i = 0; i < first.length; ++i) _add(first[i]);
    }

    function getSignerAddresses() external view returns (address[] memory) {
        return signers;
    }

    function isValidSignerAddress(address account) external view returns (bool) {
        return _isSigner(account);
    }

    function setSigner(address account, bool isSigner) external onlyOwner {
        if (isSigner) _add(account);
        else _remove(account);
    }

    function _isSigner(address account) internal view override returns (bool) {
        for (uint256 i = 0; i < signers.length; ++i) {
            if (signers[i] == account) return true;
        }
        return false;
    }

    function _add(address account) private {
        if (_isSigner(account)) return;
        if (signers.length == MAX_SIGNERS) revert TooManySigners();
        signers.push(account);
    }

    function _remove(address account) private {
        for (uint256 i = 0; i < signers.length; ++i) {
            if (signers[i] != account) continue;
            signers[i] = signers[signers.length - 1];
            signers.pop();
            return;
        }
    }
}
