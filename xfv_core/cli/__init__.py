"""The command line: python -m xfv_core, a file per group of commands."""

from __future__ import annotations

import sys

from xfv_core.cli.compare import app
from xfv_core.errors import XfvError

__all__ = ["app", "main"]


def main() -> None:
    """Run; a problem the user can act on is one line on stderr and exit code 1."""
    try:
        app()
    except XfvError as problem:
        sys.exit(f"{problem}")
