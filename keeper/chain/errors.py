"""What can go wrong between us and a node. Each message names the call and what to do."""

from __future__ import annotations


class NodeError(Exception):
    """Any failure of a node to answer a request."""

    def __init__(self, node: str, method: str, detail: str) -> None:
        super().__init__(f"{node}: {method}: {detail}")
        self.node = node
        self.method = method
        self.detail = detail


class NodeAwayError(NodeError):
    """No usable answer: refused, timed out, not JSON, an HTTP error. Worth asking again later."""


class BlockMissingError(NodeAwayError):
    """The node does not have a block that others know, or not yet: it is not blamed for more than that."""


class NodeBusyError(NodeAwayError):
    """The node has had enough of us for now. ``after_s`` is when it wants to be asked again; None when it says nothing.

    ``allowed`` is how many requests a second it grants, where it says that.
    """

    def __init__(
        self, node: str, method: str, detail: str, after_s: float | None = None, allowed: float | None = None
    ) -> None:
        super().__init__(node, method, detail)
        self.after_s = after_s
        self.allowed = allowed


class NodeRefusedError(NodeError):
    """The node understood and said no: a JSON-RPC error with its code, message and data.

    ``is_final`` where that is certainly about the call itself, so that no node will say otherwise.
    """

    def __init__(
        self, node: str, method: str, code: int, message: str, data: str | None, *, is_final: bool = False
    ) -> None:
        super().__init__(node, method, f"error {code}: {message}")
        self.code = code
        self.message = message
        self.data = data
        self.is_final = is_final


class TooBigError(NodeRefusedError):
    """The node takes no request, or gives no answer, of this size: ask for less at a time."""


class OversizedError(TooBigError):
    """The node answered more than it may: its failure, asked elsewhere; ask for less at a time where it is alone."""


class MethodMissingError(NodeRefusedError):
    """The node does not know the method, or does not let us use it: another may."""


class WrongChainError(NodeError):
    """The node is on another chain than the network file says."""


class StaleAnswerError(NodeError):
    """The node answered from another block than was asked: its figures are not used."""


class NodesDisagreeError(NodeError):
    """Two nodes that both seem well say different things of one block: nothing may be spent on either's word."""


class ForbiddenMethodError(Exception):
    """A reading connection was asked to do something other than read. Always a defect, never sent."""
