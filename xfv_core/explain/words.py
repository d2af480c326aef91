"""Words that several explanations are put into."""

from __future__ import annotations

from collections.abc import Sequence

SPOKEN = {  # the regions of ``faces.regions`` as one says them
    "background": "the area outside the face",
    "left eye": "the eye on the left of the picture",
    "right eye": "the eye on the right of the picture",
    "brows and forehead": "the brows and forehead",
    "nose": "the nose",
    "left cheek": "the cheek on the left of the picture",
    "right cheek": "the cheek on the right of the picture",
    "mouth": "the mouth",
    "chin": "the chin",
}


def listed(items: Sequence[str]) -> str:
    """One, two and three."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last
