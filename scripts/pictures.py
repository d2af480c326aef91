"""The pictures of README and docs, made anew: python -m scripts.pictures [--no-page]

Only from the example photos, which are in the public domain. Maps come from `Explanation.overlay`,
the film from the default network, the rest from the running page in Chromium. What the maps depend
on (photos, weights, code) is noted in ``inputs.json`` beside them; a test compares.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from xfv_core import Verifier
from xfv_core.explain import make_method
from xfv_core.models import embed_all
from xfv_core.results import Side

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
INPUTS = PICTURES / "inputs.json"
PHOTOS = {name: ROOT / "examples" / f"{name}.jpg" for name in ("obama", "obama2", "biden")}
PAIRS = {"same": ("obama", "obama2"), "different": ("obama", "biden")}
SIDES: tuple[Side, Side] = ("a", "b")
METHODS = ("occlusion", "fggb", "xssab", "patches", "parts")
NETWORKS = ("sface", "rrf56", "ecnet")  # those that the methods explain unless told otherwise
CODE = "xfv_core/overlay/*.py"  # what colours a map
SHOWN, GAP = 200, 4  # px: side of a face under its map, and between two
COVER, STEP = 32, 16  # px of the 112 px crop: side of the moving square and its step
FRAME = 120  # ms
INK, PAPER, LINE, ACCENT = "#1f2328", "#ffffff", "#d0d7de", "#3b5bdb"
PATIENCE = 240_000  # ms; a limit for a hung page


def main(
    page: Annotated[bool, typer.Option(help="Also the pictures of the running page.")] = True,
) -> None:
    """Write docs/pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    verifier = Verifier()
    for method in METHODS:
        save(faces_under_maps(verifier, method), method)
    film(verifier, PAIRS["same"])
    if page:
        pictures_of_page()
    INPUTS.write_text(json.dumps(inputs(), indent=2) + "\n", encoding="utf-8")


def inputs() -> dict[str, str]:
    """What the maps and the film depend on: photos, the code that colours, the methods with their
    settings, weights, and what moves the bar of a pair; sha256 by name."""
    files = [*PHOTOS.values(), *ROOT.glob(CODE)]
    found = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files}
    found |= {method: repr(make_method(method)).encode() for method in METHODS}
    entries = json.loads((ROOT / "weights.json").read_text(encoding="utf-8"))["models"]
    for name in NETWORKS:
        curve = {**entries[name]["calibration"]["conditional"], "rules": None}  # rates move no map
        judge = [entries[name]["sha256"], entries[name]["cohort"]["sha256"], curve]
        found[name] = json.dumps(judge, sort_keys=True).encode()
    return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(found.items())}


def save(picture: Image.Image, name: str) -> None:
    picture.save(PICTURES / f"{name}.webp", quality=82, method=6)


def faces_under_maps(verifier: Verifier, method: str) -> Image.Image:
    """The faces of both pairs under their maps, a pair a row."""
    sheet = Image.new("RGB", (2 * SHOWN + GAP, 2 * SHOWN + GAP), PAPER)
    for row, names in enumerate(PAIRS.values()):
        found = verifier.explained(*(PHOTOS[name] for name in names), method=method)
        for column, side in enumerate(SIDES):
            face = Image.fromarray(found.overlay(side, strength=0.85))
            small = face.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
            sheet.paste(small, (column * (SHOWN + GAP), row * (SHOWN + GAP)))
    return sheet


def film(verifier: Verifier, names: tuple[str, str]) -> None:
    """A square moves over the first face; the similarity follows."""
    model = verifier.manifest.default
    one, other = (verifier.portrait(PHOTOS[name], model) for name in names)
    threshold = verifier.verify(*(PHOTOS[name] for name in names), model=model).threshold
    places = list(snake(one.crop.pixels.shape[0]))
    covered = np.stack([without(one.crop.pixels, *place) for place in places])
    crops = np.stack([other.crop.pixels, one.crop.pixels, *covered])
    network = verifier.model(model)
    embedded = embed_all(network, as_tensor(crops), fast=False).cpu().numpy()
    whole, *similarities = (embedded[1:] @ embedded[0]).tolist()
    frames = [
        film_frame(one.sharp_crop(224), other.sharp_crop(224), place, value, whole, threshold)
        for place, value in zip([None, *places], [whole, *similarities], strict=True)
    ]
    frames[0].save(
        PICTURES / "covering.webp", save_all=True, append_images=frames[1:], quality=60, method=6,
        duration=[8 * FRAME, *[FRAME] * len(places)], loop=0,
    )  # fmt: skip


def snake(side: int) -> Iterator[tuple[int, int]]:
    """Corners (y, x) of the moving square, row by row, there and back."""
    starts = list(range(0, side - COVER + 1, STEP))
    for row, y in enumerate(starts):
        yield from ((y, x) for x in (starts if row % 2 == 0 else starts[::-1]))


def without(face: NDArray[np.uint8], y: int, x: int) -> NDArray[np.uint8]:
    """The face with a black square at (y, x)."""
    covered = face.copy()
    covered[y : y + COVER, x : x + COVER] = 0
    return covered


def as_tensor(crops: NDArray[np.uint8]) -> torch.Tensor:
    """(N,S,S,3) uint8 -> (N,3,S,S) float32 in [0,1]."""
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255


def film_frame(
    one: NDArray[np.uint8],
    other: NDArray[np.uint8],
    place: tuple[int, int] | None,
    value: float,
    whole: float,
    threshold: float,
) -> Image.Image:
    """Both faces, the first partly covered, above the similarity on a line from 0 to 1."""
    side = len(one)
    frame = Image.new("RGB", (2 * side + 12, side + 64), PAPER)
    pen = ImageDraw.Draw(frame)
    frame.paste(Image.fromarray(one), (0, 0))
    frame.paste(Image.fromarray(other), (side + 12, 0))
    if place:
        y, x = (round(edge * side / 112) for edge in place)
        size = round(COVER * side / 112)
        pen.rectangle((x, y, x + size, y + size), fill="black", outline="white")
    _scale(pen, frame.width, side + 46, value, whole, threshold)
    return frame


def _scale(
    pen: ImageDraw.ImageDraw, width: int, y: int, value: float, whole: float, threshold: float
) -> None:
    """The similarity as a bar; ticks for the uncovered pair and for the threshold."""
    font = ImageFont.load_default(size=15)
    words = f"similarity {value:.2f}   uncovered {whole:.2f}   threshold {threshold:.2f}"
    pen.text((0, y - 36), words, fill=INK, font=font)
    pen.rectangle((0, y, width - 1, y + 10), fill=LINE)
    pen.rectangle((0, y, round(max(value, 0) * width), y + 10), fill=ACCENT)
    for tick in (whole, threshold):
        pen.line((round(tick * width), y - 6, round(tick * width), y + 16), fill=INK, width=2)


def pictures_of_page() -> None:
    """The page with an example pair, wide, dark and on a phone; the Explorer and Live."""
    from playwright.sync_api import sync_playwright

    from tests.page.browser import CHROMIUM, QUIET, camera, serving

    with serving() as app, sync_playwright() as playwright, TemporaryDirectory() as folder:
        arguments = [*QUIET, *camera(Path(folder), PHOTOS["obama2"])]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        wide, phone = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
        compared(browser, app.url, "page", wide)
        compared(browser, app.url, "page-dark", wide, dark=True)
        compared(browser, app.url, "page-phone", phone)
        explorer(browser, app.url, wide)
        live(browser, app.url, wide)
        browser.close()


def opened(browser: Browser, url: str, viewport: Any, dark: bool = False) -> Page:
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url + ("?__theme=dark" if dark else ""))
    return page


def compared(browser: Browser, url: str, name: str, viewport: Any, dark: bool = False) -> None:
    """The first example pair with its maps."""
    page = opened(browser, url, viewport, dark)
    page.get_by_role("button", name="Thumbnail 1").click()
    page.locator(".trust").first.wait_for()
    page.locator("#photos, #stage").first.scroll_into_view_if_needed()
    shot(page, name)


def explorer(browser: Browser, url: str, viewport: Any) -> None:
    """The pairs of the example photos at a glance."""
    page = opened(browser, url, viewport)
    page.get_by_role("tab", name="Explorer").click()
    page.locator("#explorer-grid img").first.wait_for()
    shot(page, "explorer")


def live(browser: Browser, url: str, viewport: Any) -> None:
    """The camera, before which stands the second photo, compared with the first."""
    page = opened(browser, url, viewport)
    page.context.grant_permissions(["camera"])
    page.get_by_role("tab", name="Live camera").click()
    page.set_input_files("#photo-reference input[type=file]", PHOTOS["obama"])
    page.locator("#live-reference [data-token]").wait_for(state="attached")
    page.get_by_role("button", name="Start the camera").click()
    page.wait_for_timeout(9000)  # until the line of the probability is filled
    shot(page, "live")


def shot(page: Page, name: str) -> None:
    """What the window shows, as a small file."""
    page.wait_for_timeout(1500)  # pictures decode after their boxes stand
    save(Image.open(BytesIO(page.screenshot())).convert("RGB"), name)
    page.context.close()


if __name__ == "__main__":
    typer.run(main)
