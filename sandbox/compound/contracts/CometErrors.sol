// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// Refusals of the Comet stand-in, by the names that the real contracts give them.
library CometErrors {
    error AlreadyInitialized();
    error BadAmount();
    error BadAsset();
    error BadNonce();
    error BadPrice();
    error BadSignatory();
    error BorrowTooSmall();
    error InsufficientReserves();
    error InvalidUInt104();
    error InvalidUInt128();
    error InvalidUInt64();
    error NoSelfTransfer();
    error NotCollateralized();
    error NotForSale();
    error NotLiquidatable();
    error Paused();
    error SignatureExpired();
    error SupplyCapExceeded();
    error TooMuchSlippage();
    error Unauthorized();
}
