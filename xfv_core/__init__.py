"""Face verification that explains itself: verdict, calibrated probability, and the reasons."""

from xfv_core.ask import Ask
from xfv_core.errors import XfvError
from xfv_core.explain import Maps
from xfv_core.models import load_model
from xfv_core.results import Explanation, Verdict
from xfv_core.verifier import Verifier

__all__ = [
    "Ask", "Explanation", "Maps", "Verdict", "Verifier", "XfvError", "__version__", "load_model",
]  # fmt: skip
__version__ = "0.1.0"
