// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IUnlock {
    function unlock(bytes calldata data) external returns (bytes memory);
}

/// Opens a vault's session himself and runs in it what somebody else once signed; or runs it without any session.
contract Stranger {
    function open(IUnlock vault, address to, bytes calldata data) external {
        vault.unlock(abi.encodeCall(this.back, (to, data)));
    }

    function back(address to, bytes calldata data) external {
        (bool ok,) = to.call(data);
        require(ok, "refused");
    }
}
