// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// A price feed with the shape of a Chainlink proxy: phased round ids, stored rounds, AnswerUpdated.
/// Anyone may set the answer: this is a sandbox.
contract Feed {
    struct Round {
        int256 answer;
        uint64 startedAt;
        uint64 updatedAt;
    }

    uint16 public constant phaseId = 1;
    uint256 public constant version = 6;
    uint8 public immutable decimals;
    string public description;
    uint64 private _last;
    mapping(uint64 => Round) private _rounds;

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);
    event NewRound(uint256 indexed roundId, address indexed startedBy, uint256 startedAt);

    constructor(string memory description_, uint8 decimals_, int256 answer) {
        description = description_;
        decimals = decimals_;
        setAnswer(answer);
    }

    function setAnswer(int256 answer) public {
        setAnswerAt(answer, uint64(block.timestamp));
    }

    function setAnswerAt(int256 answer, uint64 updatedAt) public {
        _last += 1;
        _rounds[_last] = Round(answer, updatedAt, updatedAt);
        emit NewRound(_last, msg.sender, updatedAt);
        emit AnswerUpdated(answer, _last, updatedAt);
    }

    /// The aggregator behind a proxy: here the feed is both.
    function aggregator() external view returns (address) {
        return address(this);
    }

    function latestAnswer() external view returns (int256) {
        return _rounds[_last].answer;
    }

    function latestTimestamp() external view returns (uint256) {
        return _rounds[_last].updatedAt;
    }

    function latestRound() external view returns (uint256) {
        return _id(_last);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return _round(_last);
    }

    function getRoundData(uint80 roundId) external view returns (uint80, int256, uint256, uint256, uint80) {
        uint64 number = uint64(roundId);
        require(_id(number) == roundId && number != 0 && number <= _last, "No data present");
        return _round(number);
    }

    function _round(uint64 number) private view returns (uint80, int256, uint256, uint256, uint80) {
        Round memory r = _rounds[number];
        return (_id(number), r.answer, r.startedAt, r.updatedAt, _id(number));
    }

    function _id(uint64 number) private pure returns (uint80) {
        return (uint80(phaseId) << 64) | number;
    }
}
