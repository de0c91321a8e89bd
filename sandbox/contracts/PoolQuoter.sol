// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

struct PoolKey {
    address currency0;
    address currency1;
    uint24 fee;
    int24 tickSpacing;
    address hooks;
}

struct QuoteExactSingleParams {
    PoolKey poolKey;
    bool zeroForOne;
    uint128 exactAmount;
    bytes hookData;
}

struct SwapParams {
    bool zeroForOne;
    int256 amountSpecified;
    uint160 sqrtPriceLimitX96;
}

interface IPools {
    function unlock(bytes calldata data) external returns (bytes memory);
    function swap(PoolKey memory key, SwapParams memory params, bytes calldata hookData) external returns (int256);
}

/// A stand-in for Uniswap's V4Quoter, whose code is in no package: the same two functions, asked of the real pools.
contract PoolQuoter {
    IPools public immutable poolManager;

    error Quoted(uint256 amount);
    error NotEnoughLiquidity();

    constructor(address pools) {
        poolManager = IPools(pools);
    }

    function quoteExactInputSingle(QuoteExactSingleParams memory params) external returns (uint256, uint256) {
        return _quoted(params, -int256(uint256(params.exactAmount)));
    }

    function quoteExactOutputSingle(QuoteExactSingleParams memory params) external returns (uint256, uint256) {
        return _quoted(params, int256(uint256(params.exactAmount)));
    }

    function _quoted(QuoteExactSingleParams memory params, int256 specified) private returns (uint256 found, uint256) {
        uint256 before = gasleft();
        try poolManager.unlock(abi.encode(params.poolKey, params.zeroForOne, specified)) {
            revert NotEnoughLiquidity();
        } catch (bytes memory reason) {
            if (reason.length != 36 || bytes4(reason) != Quoted.selector) revert NotEnoughLiquidity();
            assembly {
                found := mload(add(reason, 36))
            }
        }
        return (found, before - gasleft());
    }

    function unlockCallback(bytes calldata data) external returns (bytes memory) {
        require(msg.sender == address(poolManager));
        (PoolKey memory key, bool down, int256 specified) = abi.decode(data, (PoolKey, bool, int256));
        uint160 limit = down ? 4295128740 : 1461446703485210103287273052203988822378723970341;
        int256 delta = poolManager.swap(key, SwapParams(down, specified, limit), "");
        (int128 zero, int128 one) = (int128(delta >> 128), int128(delta));
        (int128 given, int128 got) = down ? (zero, one) : (one, zero);
        bool isOutput = specified > 0;
        if (isOutput && int256(got) != specified) revert NotEnoughLiquidity();
        if (!isOutput && int256(given) != specified) revert NotEnoughLiquidity();
        revert Quoted(uint256(uint128(isOutput ? -given : got)));
    }
}
