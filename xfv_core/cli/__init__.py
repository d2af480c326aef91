"""The command line, ``xfv`` or ``python -m xfv_core``: a file per group of commands.

A command imports what it runs when it runs, so that ``xfv --help`` is there at once.
"""

from __future__ import annotations

import json
from typing import Any

import typer
from typer.core import TyperGroup

from xfv_core.cli import compare, fusion, gallery, maps, measure, networks, people, publish, train
from xfv_core.errors import XfvError

__all__ = ["REFUSED", "app", "main"]

REFUSED = 2  # exit code of input that was refused, as of options that do not exist


class _Program(TyperGroup):
    """Says a problem the user can act on in one line on stderr, with --json on stdout too."""

    def invoke(self, ctx: Any) -> Any:
        wants_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except XfvError as problem:
            sentence = " ".join(str(problem).split())
            typer.echo(sentence, err=True)
            if wants_json:
                typer.echo(json.dumps({"error": sentence}))
            raise typer.Exit(REFUSED) from problem


app = typer.Typer(
    cls=_Program,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Face verification that explains itself.",
)
for commands in (compare, networks, measure, people, fusion, maps, train, publish):
    app.add_typer(commands.app)
app.add_typer(gallery.app, name="gallery")


def main() -> None:
    """Run the command that was typed; exits with 0, or 2 for what was refused."""
    app()
