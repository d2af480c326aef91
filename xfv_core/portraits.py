"""Photos and their faces, remembered for a few minutes, cut as each network wants them."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from xfv_core.ask import Source
from xfv_core.errors import XfvError
from xfv_core.faces import Crop, Face, FaceDetector, align, crop_box, pick_central
from xfv_core.faces.decode import FILES, read
from xfv_core.faces.images import Photo
from xfv_core.memory import Recent
from xfv_core.models import FaceEmbedder
from xfv_core.networks import Networks, RequestError
from xfv_core.results import Pair, Portrait
from xfv_core.weights.hub import Source as WeightSource
from xfv_core.weights.manifest import Manifest, ModelCard

KEEP_SECONDS = 300
KEEP_RESULTS = 128
KEEP_PIXELS = 256_000_000  # bytes of decoded photos: seven of 12 megapixels
CAMERA_SIDE = 320  # px; where a camera's faces are looked for


class Portraits(Networks):
    """Decodes a photo once, finds its faces once; safe to call from several threads."""

    def __init__(
        self,
        manifest: Manifest | None = None,
        source: WeightSource = "auto",
        device: str | None = None,
        keep_seconds: float = KEEP_SECONDS,
    ) -> None:
        """``keep_seconds``: how long what is learnt from photos is remembered. The rest as of
        `Networks`."""
        self._recent = Recent(KEEP_RESULTS, keep_seconds)
        super().__init__(manifest, source, device)
        self._detector = FaceDetector(self.device)
        self.keep_seconds = keep_seconds
        self._photos = Recent(KEEP_PIXELS, keep_seconds, weigh=lambda photo: photo.pixels.nbytes)

    def add(self, network: FaceEmbedder, card: ModelCard) -> None:
        super().add(network, card)
        self._recent.clear()  # of another network of that name

    def use(self, manifest: Manifest) -> None:
        super().use(manifest)
        self._recent.clear()

    def photo(self, source: Source) -> Photo:
        """The decoded photo, remembered by the bytes of its file; raises ImageError."""
        if not isinstance(source, FILES):
            return Photo.of(source)
        data = read(source)
        return self._photos.get(hashlib.sha256(data).digest(), lambda: Photo.of(data))

    def faces(self, source: Source) -> tuple[Photo, tuple[Face, ...]]:
        """The decoded photo and its faces, largest first; raises ImageError or NoFaceError."""
        photo = self.photo(source)
        return photo, self._recent.get(
            ("faces", photo.digest), lambda: self._detector.detect(photo.pixels)
        )

    def face_pictures(self, source: Source) -> list[NDArray[np.uint8]]:
        """A small picture of every face, in the order of ``faces``."""
        photo, faces = self.faces(source)
        return [align(photo.pixels, face.landmarks).pixels for face in faces]

    def portrait(self, source: Source, model: str, chosen: int = 0) -> Portrait:
        """The photo with one face cropped as ``model`` wants it."""
        photo, faces = self.faces(source)
        if not 0 <= chosen < len(faces):
            raise RequestError(f"There is no face {chosen + 1} in this photo; it has {len(faces)}.")
        return Portrait(photo, faces, chosen, self.crop(photo, faces[chosen], model))

    def camera_portrait(self, photo: Photo, model: str) -> Portrait:
        """The largest face of a camera's frame: one quick look, remembered nowhere."""
        faces = self._detector.detect(photo.pixels, long_side=CAMERA_SIDE, thorough=False)
        return Portrait(photo, faces, 0, self.crop(photo, faces[0], model))

    def crop(self, photo: Photo, face: Face, model: str) -> Crop:
        """One face as ``model`` wants it: on the template, or by the detector's box."""
        spec = self.manifest.card(model).input
        if spec.crop == "template":
            return align(photo.pixels, face.landmarks, spec.size)
        stretch = spec.crop == "box"
        return crop_box(photo.pixels, face, spec.size, spec.margin, stretch=stretch)

    def central_face(self, source: Source, model: str) -> tuple[Photo, Face, Crop]:
        """The face nearest to the photo's middle, which is the labelled one in data sets."""
        photo, faces = self.faces(source)
        face = faces[pick_central(faces, photo.pixels.shape)]
        return photo, face, self.crop(photo, face, model)

    def central_crop(self, source: Source, model: str) -> Crop:
        """The crop of ``central_face``."""
        return self.central_face(source, model)[2]

    def pair(self, a: Source, b: Source, model: str, pick: tuple[int, int] = (0, 0)) -> Pair:
        """Both faces, cut as the model takes them; XfvError names the photo that was refused."""
        sides = []
        for side, source, chosen in zip(("first", "second"), (a, b), pick, strict=True):
            try:
                sides.append(self.portrait(source, model, chosen))
            except XfvError as problem:
                raise type(problem)(f"The {side} photo: {problem}") from problem
        return sides[0], sides[1]
