"""``keeper keystore``: a key for the keeper, encrypted; made new, or taken from one that its owner has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.common import Exit, Json, fail, finish, out
from keeper.cli.words import as_json_text

keystore = typer.Typer(
    no_args_is_help=True,
    help="Make the encrypted keystore of a signer. Neither key nor password is shown, or taken from the command line.",
)
File = Annotated[Path, typer.Argument(help="The keystore to write; one that is there is never written over.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="A file (mode 600) with the password. Left out, it is asked for.")
]


@keystore.command()
def new(file: File, password_file: PasswordFile = None, as_json: Json = False) -> None:
    """Make a new key: for a guardian, an account that holds rescue funds only.

    Example: keeper keystore new guardian.json
    """
    _make(file, None, password_file, as_json=as_json)


@keystore.command("import")
def import_(file: File, password_file: PasswordFile = None, as_json: Json = False) -> None:
    """Take a private key that you have: it is asked for and not shown, or read as one line where nobody types.

    Example: keeper keystore import owner.json
    """
    _make(file, _hidden("Private key (not shown): "), password_file, as_json=as_json)


def _make(file: Path, key: str | None, password_file: Path | None, *, as_json: bool) -> None:
    from keeper.execution.keystore import KeystoreRefusedError, key_in, make_keystore, password_in  # noqa: PLC0415

    try:
        secret = None if key is None else key_in(key)
        password = password_in(password_file) if password_file else _chosen()
        if not as_json:
            out().print("Encrypting, which takes a moment on purpose …", soft_wrap=True)
        address = make_keystore(file, secret, password)
    except KeystoreRefusedError as error:
        fail(Exit.BAD_SETTINGS, str(error))
    if as_json:
        as_json_text(out(), {"keystore": str(file), "address": address, "password_file": _text(password_file)})
        finish(Exit.FINE)
    out().print(f"{file}: {address}. In the settings:\n", soft_wrap=True)
    out().print(f'[[signers]]\nname = "me"\naddress = "{address}"\nkeystore = "{file}"', soft_wrap=True)
    if password_file:
        out().print(f'password_file = "{password_file}"', soft_wrap=True)
    out().print("\nKeep a copy of both the file and the password: nobody can restore them.", soft_wrap=True)
    finish(Exit.FINE)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _chosen() -> str:
    if not sys.stdin.isatty():
        fail(Exit.BAD_SETTINGS, "nobody is here to ask for a password: --password-file FILE")
    password = _hidden("Password (not shown): ")
    if password != _hidden("The same again: "):
        fail(Exit.BAD_SETTINGS, "the two passwords are not the same: nothing was written")
    return password


def _hidden(asking: str) -> str:
    """Return a line that is not shown while it is typed; where nobody types, the next line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass  # noqa: PLC0415 - rarely needed

    return getpass(asking)
