"""`load_photo` on odd, hostile and random bytes."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from tests.faces.bad_images import bad_images, encode, odd_images, png, png16, sample
from xfv_core.faces import decode, images
from xfv_core.faces.images import ImageError, load_photo

ROOT = Path(__file__).resolve().parents[2]
BAD, ODD = bad_images(), odd_images()
COLOURLESS = ("grey", "1 bit")
RANDOM = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
VALID = [
    encode(Image.fromarray(RANDOM), "JPEG"),
    encode(Image.fromarray(RANDOM), "JPEG", progressive=True),
    encode(Image.fromarray(RANDOM).quantize(16), "PNG"),
    encode(sample(56, 40), "PNG"),
    encode(Image.fromarray(RANDOM), "WEBP"),
]


def corners(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    return pixels[[5, 5, height - 6, height - 6], [5, width - 6, 5, width - 6]].astype(int)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(ImageError) as refusal:
        load_photo(BAD[name])
    sentence = str(refusal.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 180
    assert sentence[0].isupper() and ". " not in sentence


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("name", ODD)
def test_an_odd_picture_is_read_upright_in_its_colours(name: str) -> None:
    photo = load_photo(ODD[name])
    expected = sample()
    if any(word in name for word in COLOURLESS):
        expected = expected.convert("1" if "1 bit" in name else "L").convert("RGB")
    assert photo.pixels.shape == (48, 64, 3) and photo.pixels.dtype == np.uint8
    assert np.abs(corners(photo.pixels) - corners(np.asarray(expected))).max() <= 6
    assert not photo.pixels.flags.writeable


@pytest.mark.parametrize("name", [n for n in ODD if n.startswith("animated")])
def test_an_animation_says_that_its_first_frame_is_used(name: str) -> None:
    assert load_photo(ODD[name]).notes == ("Animated image, the first frame is used.",)


def test_transparent_parts_are_white_whatever_lies_under_them() -> None:
    hidden = sample().convert("RGBA")
    hidden.putalpha(Image.new("L", hidden.size, 0))
    assert (load_photo(encode(hidden, "PNG")).pixels == 255).all()


def test_sixteen_bits_lose_their_low_byte_and_are_not_clipped() -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (32, 1))
    grey = load_photo(encode(Image.fromarray(ramp), "PNG")).pixels
    colour = load_photo(png16(np.dstack([ramp] * 3), 2)).pixels
    assert (grey[..., 0] == ramp >> 8).all() and (colour == grey).all()


def test_equal_pixels_have_one_digest_and_other_pixels_another() -> None:
    first, second = encode(sample(), "PNG"), encode(sample(), "WEBP", lossless=True)
    other = encode(sample().transpose(Image.Transpose.ROTATE_180), "PNG")
    digests = [load_photo(data).digest for data in (first, second, other)]
    assert digests[0] == digests[1] != digests[2]
    assert digests[0] == hashlib.sha256(b"(48, 64, 3)" + np.asarray(sample()).tobytes()).hexdigest()


def test_the_shape_is_part_of_the_digest() -> None:
    flat = [encode(Image.new("RGB", size), "PNG") for size in ((30, 40), (40, 30))]
    assert load_photo(flat[0]).digest != load_photo(flat[1]).digest


def test_a_path_a_string_and_bytes_give_the_same_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.gif"  # the content decides, not the name
    path.write_bytes(ODD["progressive jpeg"])
    sources = (path, str(path), path.read_bytes(), bytearray(path.read_bytes()))
    assert len({load_photo(source).digest for source in sources}) == 1


@pytest.mark.parametrize("path", ["nothing-here.jpg", "/", "/dev/zero", "a\0b", ""])
def test_a_path_without_a_photo_is_refused(path: str) -> None:
    with pytest.raises(ImageError, match="check the path"):
        load_photo(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="no photo file"):
        load_photo(tmp_path / "pipe")


@pytest.mark.slow
def test_a_jpeg_of_thirty_megapixels_is_read_at_half_its_size() -> None:
    photo = load_photo(encode(sample(6400, 4800), "JPEG"))
    assert photo.pixels.shape == (2400, 3200, 3) and photo.notes == (
        "Large photo of 6400 x 4800 pixels, a reduced copy is used.",
    )


@pytest.mark.slow
def test_the_long_side_is_bounded() -> None:
    photo = load_photo(encode(sample(5120, 1280), "JPEG"))
    assert photo.pixels.shape == (1024, 4096, 3)
    assert np.abs(corners(photo.pixels) - corners(np.asarray(sample()))).max() <= 6


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_above_twenty_five_megapixels_only_a_jpeg_is_read(kind: str) -> None:
    with pytest.raises(ImageError, match="at most 25"):
        load_photo(encode(Image.new("RGB", (5100, 5000)), kind, lossless=True))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces the limit")
def test_a_decoder_that_wants_more_memory_than_allowed_ends_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    avif = encode(Image.new("RGB", (4000, 4000)), "AVIF", speed=10, quality=1)
    assert load_photo(avif).pixels.shape == (4000, 4000, 3)
    monkeypatch.setattr(decode, "CHILD_BYTES", 100_000_000)
    with pytest.raises(ImageError, match="cannot be decoded"):
        load_photo(avif)


def test_a_decoder_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "CHILD_SECONDS", 0.001)
    with pytest.raises(ImageError, match="too long"):
        load_photo(ODD["heic"])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_all_bad_pictures_together_cost_little_memory_and_no_warning() -> None:
    script = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from tests.faces.bad_images import bad_images\n"
        "from xfv_core.faces.images import ImageError, limit_pillow, load_photo\n"
        "limit_pillow()\n"
        "status = Path('/proc/self/status')\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', status.read_text())[1]) // 1024\n"
        "bad = bad_images()\n"
        "before = peak()\n"
        "for data in bad.values():\n"
        "    try: load_photo(data)\n"
        "    except ImageError: continue\n"
        "    sys.exit('read')\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", script], capture_output=True, cwd=ROOT, check=True
    )
    assert int(done.stdout) < 60  # MB
    assert done.stderr == b""


def test_a_program_that_asks_for_it_bounds_what_else_opens_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with warnings.catch_warnings():
        images.limit_pillow()
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(png(5100, 5000, raw=b"")))


def test_importing_the_core_leaves_the_program_around_it_as_it_was() -> None:
    script = (
        "import warnings\n"
        "from PIL import Image, ImageFile\n"
        "ImageFile.LOAD_TRUNCATED_IMAGES = True\n"
        "limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)\n"
        "import xfv_core, xfv_core.faces.images, xfv_core.verifier\n"
        "assert Image.MAX_IMAGE_PIXELS == limit, Image.MAX_IMAGE_PIXELS\n"
        "assert ImageFile.LOAD_TRUNCATED_IMAGES\n"
        "added = [f for f in warnings.filters if f not in filters and 'PIL' in str(f[3])]\n"
        "assert not added, added\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
def test_grey_values_of_any_depth_in_sixteen_bits_are_seen(depth: int) -> None:
    ramp = np.tile(np.linspace(0, 2**depth - 1, 64).astype(np.uint16), (32, 1))
    pixels = load_photo(encode(Image.fromarray(ramp), "PNG")).pixels
    assert (pixels[..., 1] == ramp >> (depth - 8)).all()


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300), st.sampled_from(["", "\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "RIFF"]))
@example(b"....WEBPVP8X" + b"\xff" * 40, "RIFF")
def test_random_bytes_are_refused_or_read_but_never_crash(body: bytes, start: str) -> None:
    with pytest.raises(ImageError):
        load_photo(start.encode("latin-1") + body)


@settings(deadline=None, max_examples=300)
@given(
    data=st.sampled_from(VALID),
    edits=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 1 << 20),
)
def test_a_mutated_file_is_refused_or_read_but_never_crashes(
    data: bytes, edits: list[tuple[int, int]], cut: int
) -> None:
    mutated = bytearray(data)
    for place, value in edits:
        mutated[place % len(data)] = value
    if cut % 2:
        del mutated[cut % len(data) :]
    try:
        photo = load_photo(mutated)
    except ImageError:
        return
    assert photo.pixels.shape[2] == 3 and min(photo.pixels.shape[:2]) >= decode.MIN_SIDE


@settings(deadline=None, max_examples=150)
@given(data=st.sampled_from(VALID), share=st.floats(0, 0.97))
def test_a_truncated_file_is_never_shown_half(data: bytes, share: float) -> None:
    try:
        photo = load_photo(data[: int(len(data) * share)])
    except ImageError:
        return
    assert photo.digest == load_photo(data).digest  # all pixels were there, only the end was not


@pytest.mark.slow
@settings(deadline=None, max_examples=8)
@given(st.sampled_from(["avif", "heic"]), st.integers(0, 4000), st.integers(0, 255))
def test_a_mutated_avif_or_heic_is_refused_or_read(name: str, place: int, value: int) -> None:
    mutated = bytearray(ODD[name])
    mutated[place % len(mutated)] = value
    try:
        assert load_photo(mutated).pixels.ndim == 3
    except ImageError as error:
        assert str(error).endswith(".")


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_exif_gives_some_orientation(data: bytes) -> None:
    assert isinstance(decode._orientation(b"Exif\0\0II*\0\x08\0\0\0" + data), int)
