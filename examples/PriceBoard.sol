// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// What of Stork's verifier this contract needs.
interface IStorkFast {
    struct TemporalValue {
        uint64 timestampNs;
        int192 quantizedValue;
    }

    struct Asset {
        uint16 assetID;
        TemporalValue temporalValue;
    }

    function verifyAndDeserializeSignedECDSAPayload(
        bytes calldata payload
    ) external payable returns (Asset[] memory);
}

/// Keeps the newest price of each asset, out of payloads that anybody may bring.
///
/// The verifier says who signed, and no more: it takes a payload of last year, and the
/// same one twice. Both are looked at here.
contract PriceBoard {
    IStorkFast public immutable verifier;
    uint256 public immutable maxAgeNs;

    /// By asset id: when (unix ns), and the price scaled by 10^18.
    mapping(uint16 => IStorkFast.TemporalValue) public prices;

    event Updated(uint16 indexed assetID, uint64 timestampNs, int192 price);

    error TooOld(uint64 timestampNs);
    error NothingNew();

    constructor(address verifierAddress, uint256 maxAgeSeconds) {
        verifier = IStorkFast(verifierAddress);
        maxAgeNs = maxAgeSeconds * 1e9;
    }

    /// Takes what is newer than what is known. The value sent is the verifier's fee.
    function update(bytes calldata payload) external payable {
        IStorkFast.Asset[] memory assets = verifier
            .verifyAndDeserializeSignedECDSAPayload{value: msg.value}(payload);
        bool isNew = false;
        for (uint256 i = 0; i < assets.length; ++i) {
            IStorkFast.TemporalValue memory price = assets[i].temporalValue;
            // All assets of a payload have one time.
            if (block.timestamp * 1e9 > uint256(price.timestampNs) + maxAgeNs) {
                revert TooOld(price.timestampNs);
            }
            uint16 id = assets[i].assetID;
            if (price.timestampNs <= prices[id].timestampNs) continue;
            prices[id] = price;
            isNew = true;
            emit Updated(id, price.timestampNs, price.quantizedValue);
        }
        if (!isNew) revert NothingNew();
    }
}
