"""A network without weights, and photos with a face, small enough for many pairs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor
from torch.nn import functional

from xfv_core import Verifier
from xfv_core.models import FaceModel, own_card

NAME = "colours"


class Colours(FaceModel):
    """The embedding is the colour of 7 x 7 squares."""

    name, input_size, embedding_dim = NAME, 112, 147

    def embed(self, x: Tensor) -> Tensor:
        return functional.normalize(functional.avg_pool2d(x, 16).flatten(1) - 0.5, dim=1)


def colours_verifier() -> Verifier:
    verifier = Verifier(device="cpu")
    verifier.add(Colours(), own_card(NAME, size=112, threshold=0.5))
    return verifier


def small_photos(examples: Path, folder: Path) -> None:
    """Three faces, a photo without one, and a file that is no photo."""
    for name in ("obama", "obama2", "biden"):
        with Image.open(examples / f"{name}.jpg") as photo:
            photo.thumbnail((160, 160))
            photo.save(folder / f"{name}.png")
    Image.new("RGB", (64, 64), "grey").save(folder / "grey.png")
    (folder / "letter.png").write_text("Dear Sir or Madam")


def write_list(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "path_a", "path_b"), *rows])
    return path
