"""Calldata from the ABI files: functions by name, errors by selector."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from keeper import resources
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.units import Address
from keeper.venues.codec.hashes import keccak, to_checksum_address
from keeper.venues.codec.quantities import plain
from keeper.venues.codec.values import DecodingError, decode, encode
from keeper.venues.codec.words import PlainWords, plain_arguments, plain_words
from keeper.venues.ports import Answer, Read, ReadFailedError

UNREADABLE = (DecodingError, OverflowError, UnicodeDecodeError)
"""What the general decoder raises for bytes of another shape; the last where text is no UTF-8."""


@dataclass(frozen=True, slots=True)
class Function:
    """One contract function: selector and types."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    plain: PlainWords | None = None
    """How to read the outputs where each is one word: a tenth of the work of the general decoder."""

    def encode(self, *args: Any) -> bytes:
        """Return calldata."""
        words = plain_arguments(self.inputs, args)
        return self.selector + (encode(self.inputs, args) if words is None else words)

    def read(self, to: Address, *args: Any, gas: int | None = None) -> Read:
        """Return the read of this function at an address; ``gas`` as in ``Read``."""
        data = self.encode(*args)
        return Read(to, data) if gas is None else Read(to, data, gas)

    def decode(self, answer: Answer) -> tuple[Any, ...]:
        """Return the outputs. Raises ReadFailedError when there is no answer or it has another shape."""
        if answer is None:
            raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"{self.name} reverted or is not there"))
        if self.plain is not None and (found := self.plain.read(answer)) is not None:
            return found
        try:
            return tuple(decode(self.outputs, answer))
        except UNREADABLE as error:
            raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"{self.name} answered {error}")) from error

    def word(self, answer: Answer) -> int:
        """Return the one uint256 that a function returns: the shortest way. Raises ReadFailedError as ``decode``."""
        if answer is not None and len(answer) == 32 and self.outputs == _ONE_WORD:
            return int.from_bytes(answer, "big")
        return int(self.decode(answer)[0])

    def decode_or_none(self, answer: Answer) -> tuple[Any, ...] | None:
        """Return the outputs, or None when the contract does not know the function."""
        try:
            return self.decode(answer)
        except ReadFailedError:
            return None

    def decode_inputs(self, calldata: bytes) -> tuple[Any, ...]:
        """Return the arguments of calldata. Raises ValueError when it is not a call of this function, exactly."""
        return _decoded_inputs(self, calldata)


_ONE_WORD = ("uint256",)


class Abi:
    """The functions of one ABI file by name."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self._functions = {e["name"]: _function(e) for e in entries if e["type"] == "function"}

    def __getattr__(self, name: str) -> Function:
        try:
            return self._functions[name]
        except KeyError:
            raise AttributeError(name) from None


@cache
def load(name: str) -> Abi:
    """Return the ABI file ``contracts_abi/<name>.json``."""
    return Abi(json.loads((resources.folder("contracts_abi") / f"{name}.json").read_text()))


def revert_reason(data: bytes) -> str:
    """Return why a call reverted, for people: Error(string), Panic, codes and custom errors, else the bytes.

    A contract says what it likes: of bounded length, and nothing that a terminal obeys.
    """
    return plain(_revert_reason(inner_error(data)))


def _revert_reason(data: bytes) -> str:
    if not data:
        return "reverted without a reason"
    selector, payload = data[:4], data[4:]
    try:
        if selector == _ERROR_STRING:
            text = str(decode(("string",), payload)[0])
            return _aave_codes().get(text) or (f"{_perp_words()[text]} ({text})" if text in _perp_words() else text)
        if selector == _PANIC:
            return f"panic 0x{decode(('uint256',), payload)[0]:02x}"
    except UNREADABLE:
        return f"0x{data.hex()}"
    known = custom_error(data)
    if known is None:
        return f"unknown error 0x{data[:36].hex()}"
    name, args = known
    return f"{name}({', '.join(str(a) for a in args)})" if args else name


def custom_error(data: bytes) -> tuple[str, tuple[Any, ...]] | None:
    """Return name and arguments of a custom error that a venue's contracts raise; None when it is none of theirs.

    Arguments are left out where they do not fit.
    """
    known = _custom_errors().get(data[:4])
    if known is None:
        return None
    try:
        return known.name, tuple(decode(known.inputs, data[4:]))
    except UNREADABLE:
        return known.name, ()


def inner_error(data: bytes) -> bytes:
    """Return the error of the call that failed inside a batch (ExecuteError of a batch account), else the same."""
    if data[:4] != _IN_A_BATCH:
        return data
    try:
        return bytes(decode(("uint256", "bytes"), data[4:])[1])
    except (DecodingError, OverflowError):
        return data


def failed_at(data: bytes) -> int | None:
    """Return which call of a batch failed, counted from zero; None where the error does not say."""
    if data[:4] != _IN_A_BATCH:
        return None
    try:
        return int(decode(("uint256", "bytes"), data[4:])[0])
    except UNREADABLE:
        return None


@cache
def error_selector(name: str) -> bytes:
    """Return how a custom error of a venue begins. Raises KeyError for one that is none of theirs."""
    found = {known.name: selector for selector, known in _custom_errors().items()}
    return found[name]


@lru_cache(maxsize=4096)
def address(value: str | bytes) -> Address:
    """Return an address in its checksummed form: a hash each, and the same few again and again."""
    return Address(str(to_checksum_address(value)))


@lru_cache(maxsize=1024)
def _decoded_inputs(of: Function, calldata: bytes) -> tuple[Any, ...]:
    """The same bytes are decoded once: the gate sees each plan when it is armed, fitted and sent."""
    if calldata[:4] != of.selector:
        raise ValueError(f"not a call of {of.name}")
    try:
        args = tuple(decode(of.inputs, calldata[4:]))
    except UNREADABLE as error:
        raise ValueError(f"{of.name}: {error}") from error
    if of.encode(*args) != calldata:
        raise ValueError(f"{of.name}: calldata is not in its plain form")
    return args


_ERROR_STRING = keccak(text="Error(string)")[:4]
_IN_A_BATCH = keccak(text="ExecuteError(uint256,bytes)")[:4]
_PANIC = keccak(text="Panic(uint256)")[:4]
_ERROR_FILES = "*_errors.json"


def _function(entry: dict[str, Any]) -> Function:
    inputs = tuple(_type(i) for i in entry["inputs"])
    signature = f"{entry['name']}({','.join(inputs)})"
    outputs = tuple(_type(o) for o in entry.get("outputs", ()))
    return Function(entry["name"], keccak(text=signature)[:4], inputs, outputs, plain_words(outputs))


def _type(item: dict[str, Any]) -> str:
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(c) for c in item['components'])}){kind.removeprefix('tuple')}"


@cache
def _custom_errors() -> dict[bytes, Function]:
    folder = resources.folder("contracts_abi")
    entries = [entry for file in sorted(folder.glob(_ERROR_FILES)) for entry in json.loads(file.read_text())]
    functions = [_function({**e, "outputs": []}) for e in entries if e["type"] == "error"]
    return {f.selector: f for f in functions}


@cache
def _aave_codes() -> dict[str, str]:
    codes: dict[str, str] = json.loads((resources.folder("contracts_abi") / "aave_v3_error_codes.json").read_text())
    return codes


@cache
def _perp_words() -> dict[str, str]:
    words: dict[str, str] = json.loads((resources.folder("contracts_abi") / "perp_v2_error_codes.json").read_text())
    return words
