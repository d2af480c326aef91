"""Face verification that explains itself: verdict, calibrated probability, and the reasons.

The names below are imported at first use, so that ``import xfv_core`` loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xfv_core.ask import Ask
    from xfv_core.errors import XfvError
    from xfv_core.explain import Maps
    from xfv_core.many import Compared, verify_many
    from xfv_core.models import load_model
    from xfv_core.references import (
        Referenced,
        ReferenceMaps,
        explain_references,
        verify_references,
    )
    from xfv_core.results import Explanation, Verdict
    from xfv_core.verifier import Verifier

__all__ = [
    "Ask", "Compared", "Explanation", "Maps", "ReferenceMaps", "Referenced", "Verdict",
    "Verifier", "XfvError", "__version__", "explain_references", "load_model",
    "verify_many", "verify_references",
]  # fmt: skip
__version__ = "0.1.0"

_HOMES = {
    "Ask": "ask",
    "Compared": "many",
    "Explanation": "results",
    "Maps": "explain",
    "ReferenceMaps": "references",
    "Referenced": "references",
    "Verdict": "results",
    "Verifier": "verifier",
    "XfvError": "errors",
    "explain_references": "references",
    "load_model": "models",
    "verify_many": "many",
    "verify_references": "references",
}


def __getattr__(name: str) -> Any:
    """A public name, from the module that holds it (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
