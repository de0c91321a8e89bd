"""What a keeper that runs need not carry: the parts that draw tables at a terminal."""

import subprocess
import sys

KEPT_OUT = "import sys, keeper.cli.main, keeper.cli.commands, keeper.cli.keystore; print('rich' in sys.modules)"


def test_no_command_brings_the_drawing_of_tables_with_it() -> None:
    """Each loads it when it draws: beside a quiet keeper it costs 4 MiB for months."""
    done = subprocess.run([sys.executable, "-c", KEPT_OUT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
