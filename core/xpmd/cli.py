"""The command `xpmd`, also `python -m xpmd`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, or say in one line what to install for it.

    Args:
        arguments: what stands after `xpmd`; taken from the command line if left out.
    """
    try:
        from xpmd.commands.app import app
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("typer", "rich"):
            raise
        sys.exit(f"The xpmd command needs {missing}: pip install 'xpmd[cli]'")
    app(args=arguments, prog_name="xpmd")
