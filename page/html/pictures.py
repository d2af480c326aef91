"""Pictures travel inside the page, so that no photo gets a file of its own."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

from xfv_core.overlay import encode


def data_url(image: NDArray[np.uint8]) -> str:
    """uint8 (H,W,3) as a JPEG data URL."""
    return "data:image/jpeg;base64," + base64.b64encode(encode(image, "jpeg")).decode()
