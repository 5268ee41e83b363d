// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {FastVerifier} from "./FastVerifier.sol";

/// A verifier with one signer.
contract SingleSignerVerifier is FastVerifier {
    address public immutable signerAddress;

    constructor(address signer, uint256 fee) FastVerifier(fee) {
        signerAddress = signer;
    }

    function _isSigner(address account) internal view override returns (bool) {
        return account == signerAddress;
    }
}
