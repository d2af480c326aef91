"""What was computed for a whole pair set, to be looked through: verdicts, maps, photos.

A gallery is a folder, or a data set on the Hub, of

    gallery.json           what was measured how, and on which files
    pairs-MODEL.parquet    a row per pair: the verdict, how methods did, what they drew
    photos-CROP.parquet    a row per photo: the crop as the networks saw it, its five landmarks

Only what is looked at is read: the verdicts of a model once, and of photos and maps the row group
that holds them. Other files than these are never opened.
"""

from xfv_core.gallery.files import GalleryError, Info, ModelResults
from xfv_core.gallery.reader import Gallery, ready_portrait
from xfv_core.gallery.verdicts import ORDERS, OUTCOMES, Verdicts

__all__ = [
    "ORDERS", "OUTCOMES", "Gallery", "GalleryError", "Info", "ModelResults", "Verdicts",
    "ready_portrait",
]  # fmt: skip
