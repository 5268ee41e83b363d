// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {FastVerifier} from "./FastVerifier.sol";

/// A verifier with one signer, which the owner may change.
contract SingleSignerVerifier is FastVerifier {
    address public signerAddress;

    constructor(address signer, uint256 fee) FastVerifier(fee) {
        signerAddress = signer;
    }

    function setSigner(address signer) external onlyOwner {
        signerAddress = signer;
    }

    function _isSigner(address account) internal view override returns (bool) {
        return account == signerAddress;
    }
}
