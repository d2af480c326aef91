"""RGB pixels -> faces, and the crops of them that networks want.

Coordinates: a point (x, y) is in pixel indices, so the centre of pixel ``pixels[0, 0]`` is (0, 0),
and a ``matrix`` maps such points to such points. A box is made of edges: x0 = 0 is the left edge
of the photo, x1 = W its right one.
"""

from xfv_core.faces.crops import TEMPLATE, Crop, align, crop_box, cut, moved, recut, similarity
from xfv_core.faces.detect import Face, FaceDetector, NoFaceError, pick_central

__all__ = [
    "TEMPLATE",
    "Crop",
    "Face",
    "FaceDetector",
    "NoFaceError",
    "align",
    "crop_box",
    "cut",
    "moved",
    "pick_central",
    "recut",
    "similarity",
]
