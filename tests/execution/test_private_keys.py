"""A key's files that others could use are closed, and the owner hears of it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from keeper.observe.observer import Observer
from keeper.service import keys
from keeper.settings import Settings


def test_the_owner_hears_of_every_file_that_was_open_to_others(tmp_path: Path) -> None:
    """Keystore, password file and journal; each once, and not again once it is closed."""
    keystore, password = tmp_path / "key.json", tmp_path / "password"
    for file in (keystore, password):
        file.write_text("x")
        file.chmod(0o644)
    signers = [
        SimpleNamespace(keystore=keystore, password_file=password),
        SimpleNamespace(keystore=keystore, password_file=None),
        SimpleNamespace(keystore=None, password_file=None),
    ]
    settings = cast("Settings", SimpleNamespace(signers=signers))
    told = list[str]()

    class Ear:
        def notify(self, title: str, body: str) -> bool:
            told.append(body)
            return True

    observer = Observer("live", cast("Any", Ear()), 3600)
    keys.report_exposed(settings, observer, ("keeper.db (mode 0644) was open to others",))
    keys.report_exposed(settings, observer, ())
    observer.close()
    assert len(told) == 3
    assert {file.stat().st_mode & 0o777 for file in (keystore, password)} == {0o600}
