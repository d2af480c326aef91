"""A live camera against a reference photo: a frame in, verdict and patch maps out, nothing kept.

A frame is asked for only when the one before is answered, so a slow server means fewer frames, not
old ones. What is held: the reference face, in memory, until a few minutes after its last use.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from time import monotonic

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from xfv_core.confidence.measures import Measures
from xfv_core.errors import XfvError
from xfv_core.explain import make_method
from xfv_core.faces.crops import crop_to_photo
from xfv_core.faces.images import load_photo
from xfv_core.memory import Recent
from xfv_core.overlay import overlay_crop, shared_scale
from xfv_core.results import Portrait, Verdict
from xfv_core.verifier import Source, Verifier

LIVE_SECONDS = 120  # of one turn, by the server's clock
SEATS = 2  # cameras at a time: more would starve the comparisons of photos
QUIET = 3.0  # seconds after its last frame a camera has left its seat
REST = 30.0  # seconds without a frame after which its owner's next turn begins
MAX_FRAME_BYTES = 2_000_000
SHOWN = 256  # px, side of the two faces
STRENGTH = 0.85
STEADY = 0.9  # share of the former colour scale that a frame keeps, against flicker


class LiveError(XfvError):
    """The camera has to stop; the sentence says why."""


class SeatsTakenError(LiveError):
    """As many cameras run as may; a seat will be free again."""


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """What one frame gave.

    ``reference`` and ``camera`` are both faces under their patch maps, uint8 (SHOWN,SHOWN,3);
    ``scale`` is the value of the full colour in ``unit``. ``place``: the (2,3) matrix from pixels
    of ``camera`` to pixels of the frame, both counted from the outer corner of the first pixel.
    ``quality``: of the frame's face, to compare frames of one camera by; the more the better.
    """

    verdict: Verdict
    reference: NDArray[np.uint8]
    camera: NDArray[np.uint8]
    scale: float
    unit: str
    place: NDArray[np.float64]
    quality: float


@dataclass(eq=False)
class _Camera:
    """One reference face and the state of the camera that is held against it."""

    model: str
    portrait: Portrait
    face: NDArray[np.uint8]
    crop: Tensor
    owner: str
    scale: float = 0.0
    in_use: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class _Turn:
    """An owner's time at the camera; ``began`` and ``last`` (frame) in seconds."""

    began: float
    last: float


class Seats:
    """Few cameras at a time, each for a while. Nothing that a client sends moves the clock: a turn
    belongs to its owner, whatever references are opened, and a new one begins after a rest."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}
        self._taken: dict[str, float] = {}  # by camera: when its last frame came
        self._lock = threading.Lock()

    def take(self, camera: str, owner: str) -> None:
        """Let one frame of a camera in; LiveError where its time is up or no seat is free."""
        with self._lock:
            now = monotonic()
            self._turns = {o: t for o, t in self._turns.items() if now - t.last < REST}
            self._taken = {c: last for c, last in self._taken.items() if now - last < QUIET}
            turn = self._turns.get(owner) or _Turn(now, now)
            if now - turn.began > LIVE_SECONDS:
                wait = max(1, round(turn.last + REST - now))
                raise LiveError(
                    f"Stopped after {LIVE_SECONDS} seconds, so that others can have a turn; the "
                    f"camera can be started again in {wait} s."
                )
            if camera not in self._taken and len(self._taken) >= SEATS:
                raise SeatsTakenError("All live cameras are in use; try again in a minute.")
            turn.last = self._taken[camera] = now
            self._turns[owner] = turn


class Live:
    """The cameras of one server; safe to call from several threads."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._cameras = Recent(64, verifier.keep_seconds)
        self._seats = Seats()

    def open(self, reference: Source, model: str | None = None, owner: str = "") -> str:
        """Take a reference photo; returns the secret under which frames are compared with it.

        ``owner``: whose turn it is, as the server knows them (by address); without one the
        reference is an owner of its own. Raises XfvError where there is no patch model, no photo
        or no face in it.
        """
        name = model or self._verifier.default_model("patches")
        portrait = self._verifier.portrait(reference, name)
        token = secrets.token_urlsafe(16)
        face = portrait.sharp_crop(SHOWN)
        camera = _Camera(name, portrait, face, portrait.tensor(), owner or token)
        self._cameras.put(token, camera)
        return token

    def face(self, token: str) -> NDArray[np.uint8]:
        """The reference face (SHOWN,SHOWN,3); LiveError where it is gone."""
        return self._camera(token).face

    def frame(self, token: str, picture: bytes) -> LiveFrame:
        """Compare one frame with the reference that ``token`` names.

        Raises LiveError where the camera has to stop (time is up, no such reference),
        SeatsTakenError where it has to wait, NoFaceError and ImageError where only this frame is of
        no use.
        """
        camera = self._camera(token)
        self._seats.take(token, camera.owner)
        self._cameras.put(token, camera)  # its minutes count from now
        if len(picture) > MAX_FRAME_BYTES:
            raise LiveError("The camera's pictures are too large; choose a lower resolution.")
        with camera.in_use:
            return self._compare(camera, picture)

    def _camera(self, token: str) -> _Camera:
        camera: _Camera | None = self._cameras.peek(token)
        if camera is None:
            raise LiveError("The reference photo is gone by now; choose it again.")
        return camera

    def _compare(self, camera: _Camera, picture: bytes) -> LiveFrame:
        verifier, network = self._verifier, self._verifier.model(camera.model)
        portrait = verifier.camera_portrait(load_photo(picture), camera.model)
        reference = verifier.measures(camera.portrait, camera.model)
        now = verifier.measures(portrait, camera.model, remember=False)
        seen = (reference, now) if reference and now else None
        threshold = verifier.threshold(camera.model, "balanced", seen)
        (maps,) = make_method("patches")(
            network, camera.crop, portrait.tensor(), threshold=threshold
        )
        similarity = maps.details["patches"].similarity
        pair = (camera.portrait, portrait)
        verdict = verifier.judge(similarity, pair, camera.model, "balanced", seen=seen)
        shown = maps.shown()
        camera.scale = max(shared_scale(shown), STEADY * camera.scale)
        faces = (camera.face, portrait.sharp_crop(SHOWN))
        a, b = (
            overlay_crop(face, values, camera.scale, STRENGTH)
            for face, values in zip(faces, (shown.a, shown.b), strict=True)
        )
        place = crop_to_photo(portrait.crop, SHOWN)
        return LiveFrame(verdict, a, b, camera.scale, maps.unit, place, _quality(portrait, now))


def _quality(portrait: Portrait, measures: Measures | None) -> float:
    """The network's own measure of a face, without one its height in px."""
    if measures:
        return measures.norm
    box = portrait.faces[portrait.chosen].box
    return float(box[3] - box[1])
