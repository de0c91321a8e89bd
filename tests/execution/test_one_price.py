"""No signing path exists beside the one price: read from the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

KEEPER = Path(__file__).parents[2] / "keeper"


@cache
def texts() -> dict[str, str]:
    """Every module of the keeper, by where it is."""
    return {p.relative_to(KEEPER).as_posix(): p.read_text(encoding="utf-8") for p in KEEPER.rglob("*.py")}


def walked(word: str) -> Iterator[tuple[str, str, ast.AST]]:
    """Yield every node of the modules in which a word stands at all, with its file and function."""
    for where, text in texts().items():
        if word in text:
            yield from ((where, function, node) for function, node in _walk(ast.parse(text)))


def calls(name: str) -> Iterator[tuple[str, str]]:
    """Yield file and function of every call of a name, as itself or as an attribute."""
    for where, function, node in walked(name):
        if isinstance(node, ast.Call) and _called(node) == name:
            yield where, function


def _walk(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    left = [("", tree)]
    while left:
        function, node = left.pop()
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            yield inside, child
            left.append((inside, child))


def _called(node: ast.Call) -> str:
    function = node.func
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def names(name: str) -> set[str]:
    """Return the files that name something at all: imported, called, or handed on."""
    return {where for where, _, node in walked(name) if _is_named(node, name)}


def _is_named(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Name(id=said) | ast.Attribute(attr=said):
            return said == name
        case ast.alias(name=said):
            return said.rsplit(".", 1)[-1] == name
        case _:
            return False


def test_an_offer_is_made_by_price_alone() -> None:
    """And by the constant for bytes that warm up and never leave."""
    assert set(calls("Offer")) == {("execution/pricing.py", "price"), ("execution/pricing.py", "")}


def test_what_is_signed_is_signed_in_one_place() -> None:
    """An envelope is filled in `dispatch` alone, and there only from an Offer."""
    assert {where for where, _ in calls("Envelope")} == {"execution/dispatch.py"}
    assert names("unsafe_sign_hash") == names("sign_authorization") == {"execution/signer.py"}
    for other in ("sign_transaction", "signTransaction", "sign_message", "sign_typed_data", "signHash"):
        assert names(other) == set()


def test_dispatch_takes_offers_only() -> None:
    """Whoever signs has an Offer in hand: the type says so, and mypy holds everybody to it."""
    tree = ast.parse((KEEPER / "execution" / "dispatch.py").read_text(encoding="utf-8"))
    signing = {"sign", "sign_all", "_signed", "resign"}
    seen = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in signing:
            types = [ast.unparse(a.annotation) for a in node.args.args if a.arg == "fees" and a.annotation]
            assert types == ["Offer"], node.name
            seen.add(node.name)
    assert seen == signing


def test_bytes_go_on_the_wire_through_dispatch_alone() -> None:
    """The lane's wire is used where what is signed was written down."""
    senders = {"chain/nodes.py", "chain/client.py", "chain/accounts.py", "chain/member.py", "chain/broadcast.py"}
    spelled = {
        where
        for where, _, node in walked("eth_sendRawTransaction")
        if isinstance(node, ast.Constant) and node.value == "eth_sendRawTransaction"
    }
    assert spelled <= senders | {"settings/schema.py", "settings/model.py", "settings/load.py"}
    assert {where for where, _ in calls("_wire")} == {"execution/dispatch.py"}
