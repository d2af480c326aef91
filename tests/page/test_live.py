"""A camera against a reference: the same verdict as two photos, few seats, limited time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from xfv_core import Verifier, live
from xfv_core.faces import TEMPLATE, NoFaceError
from xfv_core.faces.images import ImageError
from xfv_core.live import LIVE_SECONDS, SEATS, SHOWN, Live, LiveError, Seats, SeatsTakenError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(live, "monotonic", clock)
    return clock


@pytest.fixture
def cameras(verifier: Verifier, clock: Clock) -> Live:
    return Live(verifier)


def frame_of(photo: Path) -> bytes:
    memory = io.BytesIO()
    with Image.open(photo) as image:
        ImageOps.pad(image.convert("RGB"), (640, 480)).save(memory, "JPEG", quality=90)
    return memory.getvalue()


def test_a_frame_gets_the_verdict_that_two_photos_get(
    cameras: Live, verifier: Verifier, examples: Path
) -> None:
    token = cameras.open(examples / "obama.jpg")
    model = verifier.default_model("patches")
    for name, same in (("obama2.jpg", True), ("biden.jpg", False)):
        frame = cameras.frame(token, frame_of(examples / name))
        photos = verifier.verify(examples / "obama.jpg", examples / name, model=model)
        assert frame.verdict.same is photos.same is same
        assert frame.verdict.similarity == pytest.approx(photos.similarity, abs=0.08)
        assert frame.reference.shape == frame.camera.shape == (SHOWN, SHOWN, 3)


def test_the_face_under_its_map_lies_where_it_is_in_the_frame(
    cameras: Live, verifier: Verifier, examples: Path
) -> None:
    token, picture = cameras.open(examples / "obama.jpg"), frame_of(examples / "obama2.jpg")
    frame = cameras.frame(token, picture)
    eyes = TEMPLATE[:2] * SHOWN / 112 @ frame.place[:, :2].T + frame.place[:, 2]
    found = verifier.faces(picture)[1][0].landmarks[:2]
    assert np.allclose(eyes, found, atol=8)  # px of 640; the camera looks less closely


def test_a_sharp_frame_is_better_than_a_coarse_one(cameras: Live, examples: Path) -> None:
    token, sharp = cameras.open(examples / "obama.jpg"), frame_of(examples / "obama2.jpg")
    coarse = io.BytesIO()
    with Image.open(io.BytesIO(sharp)) as image:
        image.resize((120, 90)).resize((640, 480)).save(coarse, "JPEG")
    assert cameras.frame(token, sharp).quality > cameras.frame(token, coarse.getvalue()).quality


def test_a_frame_is_remembered_nowhere(cameras: Live, verifier: Verifier, examples: Path) -> None:
    token = cameras.open(examples / "obama.jpg")
    before = len(verifier._recent)
    for name in ("obama2.jpg", "obama3.jpg"):
        cameras.frame(token, frame_of(examples / name))
    assert len(verifier._recent) == before


def test_the_camera_stops_after_its_time_and_may_start_again_after_a_rest(
    cameras: Live, clock: Clock, examples: Path
) -> None:
    token, picture = cameras.open(examples / "obama.jpg"), frame_of(examples / "obama2.jpg")
    until = clock.now + LIVE_SECONDS
    while clock.now < until:
        cameras.frame(token, picture)
        clock.now += live.REST - 1
    with pytest.raises(LiveError, match="Stopped after"):
        cameras.frame(token, picture)
    clock.now += live.REST
    cameras.frame(token, picture)


def test_who_opens_the_reference_anew_gets_no_more_time(clock: Clock) -> None:
    seats, served = Seats(), 0
    for second in range(3600):
        clock.now += 1
        try:
            seats.take(f"reference {second // 60}", "1.2.3.4")
            served += 1
        except LiveError:
            pass
    assert served <= 3600 * LIVE_SECONDS / (LIVE_SECONDS + live.REST) + LIVE_SECONDS


def test_two_who_never_stop_asking_leave_the_seats_to_a_third(clock: Clock) -> None:
    seats, others = Seats(), 0
    for _ in range(3600):
        clock.now += 1
        for owner in ("greedy", "greedier", "patient"):
            try:
                seats.take(owner, owner)
                others += owner == "patient"
            except LiveError:
                pass
    assert others > 600


def test_there_are_few_seats_and_a_quiet_camera_leaves_its(
    cameras: Live, clock: Clock, examples: Path
) -> None:
    picture = frame_of(examples / "obama2.jpg")
    *seated, late = (cameras.open(examples / "obama.jpg") for _ in range(SEATS + 1))
    for token in seated:
        cameras.frame(token, picture)
    with pytest.raises(SeatsTakenError, match="in use"):
        cameras.frame(late, picture)
    clock.now += live.QUIET + 0.1
    cameras.frame(late, picture)


def test_a_bad_frame_is_said_and_the_next_one_is_compared(cameras: Live, examples: Path) -> None:
    token = cameras.open(examples / "obama.jpg")
    blank = io.BytesIO()
    Image.new("RGB", (640, 480), "grey").save(blank, "JPEG")
    with pytest.raises(NoFaceError):
        cameras.frame(token, blank.getvalue())
    with pytest.raises(ImageError):
        cameras.frame(token, b"no picture")
    with pytest.raises(LiveError, match="too large"):
        cameras.frame(token, bytes(live.MAX_FRAME_BYTES + 1))
    assert cameras.frame(token, frame_of(examples / "obama2.jpg")).verdict.same


def test_without_its_reference_nothing_is_compared(cameras: Live, examples: Path) -> None:
    with pytest.raises(LiveError, match="choose it again"):
        cameras.frame("guess", frame_of(examples / "obama.jpg"))
    with pytest.raises(ImageError):
        cameras.open(b"no picture")


def test_a_verifier_forgets_after_the_seconds_it_is_given() -> None:
    forgetful = Verifier(keep_seconds=7)
    assert forgetful._recent._items.ttl == 7
    assert Live(forgetful)._cameras._items.ttl == 7
