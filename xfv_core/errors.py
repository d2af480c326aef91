"""What is said to a user when something cannot be done."""

from __future__ import annotations

from importlib.util import find_spec


class XfvError(Exception):
    """A problem the user can act on; the message is one sentence and is shown as it is."""


class MissingPackageError(XfvError):
    """A package that only some commands need is not installed."""


def needs(*packages: str, extra: str) -> None:
    """Raise MissingPackageError where a package is missing, naming the extra that installs it.

    ``packages``: names as they are imported; ``extra``: of this distribution (pyproject.toml).
    """
    if missing := [name for name in packages if find_spec(name) is None]:
        raise MissingPackageError(
            f"This needs {' and '.join(missing)}: pip install 'xfv[{extra}]' installs what is "
            "missing."
        )
