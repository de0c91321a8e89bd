// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// An L2 sequencer uptime feed: answer 0 = up, 1 = down; startedAt = when that status began.
contract SequencerFeed {
    uint8 public constant decimals = 0;
    string public constant description = "L2 Sequencer Uptime Status Feed";
    uint256 public constant version = 1;
    uint80 private _roundId;
    int256 private _answer;
    uint256 private _startedAt;
    uint256 private _updatedAt;

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    constructor(uint256 upSince) {
        setStatus(0, upSince);
    }

    function setStatus(int256 answer, uint256 startedAt) public {
        _roundId += 1;
        (_answer, _startedAt, _updatedAt) = (answer, startedAt, block.timestamp);
        emit AnswerUpdated(answer, _roundId, block.timestamp);
    }

    function latestAnswer() external view returns (int256) {
        return _answer;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (_roundId, _answer, _startedAt, _updatedAt, _roundId);
    }
}
