"""The table of commands."""

from __future__ import annotations

import typer

from .. import __version__
from .compare import compare
from .demo import demo
from .evaluate import evaluate
from .info import info
from .lecture import lecture
from .recon import recon
from .simulate import simulate
from .train import train
from .undersample import undersample

app = typer.Typer(
    name="kolumn",
    help="Accelerated MRI reconstruction: from a raw k-space file to an image, a score and a report.",
    epilog="An error is one line; --debug, with any command, shows where it came from.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Options that are not the command's own are the method's: see options.py.
_WITH_METHOD_OPTIONS = {"allow_extra_args": True, "ignore_unknown_options": True}

app.command()(info)
app.command()(simulate)
app.command()(undersample)
app.command(context_settings=_WITH_METHOD_OPTIONS)(recon)
app.command(context_settings=_WITH_METHOD_OPTIONS)(compare)
app.command(context_settings=_WITH_METHOD_OPTIONS)(evaluate)
app.command(context_settings=_WITH_METHOD_OPTIONS)(demo)
app.command()(lecture)
app.command()(train)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"kolumn {__version__}")
        raise typer.Exit()


@app.callback()
def _main(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_show_version, is_eager=True),
) -> None:
    pass
