"""The command line as a whole: what `xpmd` takes before a command, and its commands."""

from __future__ import annotations

from typing import Annotated

import typer

from xpmd import __version__
from xpmd.commands.bench import bench
from xpmd.commands.new_plugin import new_plugin
from xpmd.commands.plugins import plugins

app = typer.Typer(
    help="Differentiable molecular simulation on any array library.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("plugins")(plugins)
app.command("new-plugin")(new_plugin)
app.command("bench")(bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"xpmd {__version__}")
        raise typer.Exit


@app.callback()
def xpmd(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Differentiable molecular simulation on any array library."""
