"""Read a gallery, only what is looked at."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import huggingface_hub as hf
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import constants
from numpy.typing import NDArray

from xfv_core.explain import make_method
from xfv_core.faces import Crop, Face
from xfv_core.faces.images import load_photo
from xfv_core.gallery.files import (
    INFO,
    ROW_GROUP,
    VERDICT_COLUMNS,
    GalleryError,
    Info,
    ModelResults,
    fidelity_column,
    unpack_map,
)
from xfv_core.gallery.verdicts import Verdicts, read_columns
from xfv_core.results import Explanation, Portrait, Verdict
from xfv_core.verifier import Verifier


class Gallery:
    """Reads a gallery. Safe to use from several threads.

    ``source``: a folder, or OWNER/NAME of a data set on the Hub, @REVISION if not its newest.
    """

    def __init__(self, source: str | Path) -> None:
        """Raises GalleryError where there is no gallery."""
        self.source = str(source)
        self._lock = threading.RLock()
        self._verdicts: dict[str, Verdicts] = {}
        self._names: dict[str, dict[str, int]] = {}
        self._files: dict[str, Path] = {}

    @cached_property
    def info(self) -> Info:
        """What there is."""
        return Info.from_json(self._file(INFO).read_text(encoding="utf-8"))

    def results(self, model: str) -> ModelResults:
        """What there is for one model; GalleryError where there is nothing."""
        if model not in self.info.models:
            raise GalleryError(f"{self.info.name} was not computed for {model!r}.")
        return self.info.models[model]

    def verdicts(self, model: str) -> Verdicts:
        """All pairs of one model, read once."""
        with self._lock:
            if model not in self._verdicts:
                found = self.results(model)
                names = [*VERDICT_COLUMNS, *map(fidelity_column, found.methods)]
                table = _readable(self._file(found.pairs)).read(columns=names)
                self._verdicts[model] = read_columns(table, found.methods)
            return self._verdicts[model]

    def image(self, model: str, photo: str) -> bytes:
        """The file of one crop."""
        return self._photo(model, photo)["image"]["bytes"]

    def portraits(self, model: str, row: int) -> tuple[Portrait, Portrait]:
        """Both faces of a pair as they were compared."""
        self.verdict(model, row)
        verdicts = self.verdicts(model)
        one, other = (self._portrait(model, side[row]) for side in (verdicts.a, verdicts.b))
        return one, other

    def verdict(self, model: str, row: int) -> Verdict:
        """The verdict on a pair, as it was computed."""
        v, found = self.verdicts(model), self.results(model)
        if not 0 <= row < len(v):
            raise GalleryError(f"{self.info.name} has no pair {row}.")
        p, confidence = (
            None if np.isnan(column[row]) else float(column[row])
            for column in (v.probability, v.confidence)
        )
        similarity = float(v.similarity[row])
        return Verdict(
            similarity=similarity,
            distance=1 - similarity,
            threshold=float(v.threshold[row]),
            same=bool(v.same[row]),
            answer=v.answer[row],
            probability_same=p,
            confidence=confidence,
            operating_point=found.operating_point,
            model=model,
            calibrated=p is not None,
            faces=(0, 0),
            notes=(),
        )

    def stored(self, model: str, row: int) -> Mapping[str, Explanation]:
        """By method, what was computed for a pair when the gallery was built; often nothing."""
        found = _row(self._file(self.results(model).pairs), row, ["maps"])["maps"]
        pair, verdict = self.portraits(model, row), self.verdict(model, row)
        return {m["method"]: unpack_map(m, verdict, pair) for m in found or ()}

    def explain(
        self, verifier: Verifier, model: str, row: int, method: str
    ) -> Iterator[Explanation]:
        """What was stored, at once; or else ever better maps, computed now.

        Raises GalleryError where the model is not the one of the gallery any more.
        """
        if known := self.stored(model, row).get(method):
            yield known
            return
        found = self.results(model)
        if verifier.manifest.card(model).sha256 != found.sha256:
            raise GalleryError(
                f"{self.info.name} was computed with other weights of {model}: build it again."
            )
        yield from verifier.explain_portraits(
            self.portraits(model, row), model, make_method(method), found.operating_point
        )

    def _portrait(self, model: str, name: str) -> Portrait:
        found = self._photo(model, name)
        return ready_portrait(found["image"]["bytes"], np.array(found["landmarks"], np.float32))

    def _photo(self, model: str, name: str) -> dict[str, Any]:
        file = self.results(model).photos
        with self._lock:
            if file not in self._names:
                names = _readable(self._file(file)).read(columns=["name"])["name"].to_pylist()
                self._names[file] = {name: i for i, name in enumerate(names)}
        if name not in self._names[file]:
            raise GalleryError(f"{self.info.name} has no photo {name!r}.")
        return _row(self._file(file), self._names[file][name], ["image", "landmarks"])

    def _file(self, name: str) -> Path:
        with self._lock:
            if name not in self._files:
                folder = Path(self.source)
                self._files[name] = folder / name if folder.is_dir() else self._fetched(name)
        if not self._files[name].is_file():
            raise GalleryError(f"{self.source} is no gallery: it has no {name}.")
        return self._files[name]

    def _fetched(self, name: str) -> Path:
        """A file of a data set on the Hub, all of them from the commit of the first."""
        repo_id, _, asked = self.source.partition("@")
        first = self._files.get(INFO)
        revision = first.parent.name if first else asked or None  # …/snapshots/COMMIT/gallery.json
        try:
            return Path(hf.hf_hub_download(
                repo_id, name, repo_type="dataset", revision=revision,
                cache_dir=constants.HF_HUB_CACHE,
            ))  # fmt: skip
        except Exception as error:  # those of the Hub client, HTTP and Xet have no common base
            reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".:")
            raise GalleryError(
                f"{self.source} is no folder, nor a gallery on the Hub ({reason})."
            ) from error


def ready_portrait(image: bytes, landmarks: NDArray[np.float32]) -> Portrait:
    """A crop as the photo, the face and the crop that it is; raises ImageError.

    ``landmarks``: (5,2) or (10,) in pixels of the crop.
    """
    photo = load_photo(image)
    points = landmarks.reshape(5, 2)
    side = len(photo.pixels)
    face = Face(np.array([0, 0, side, side], np.float32), points, 1.0)
    return Portrait(photo, (face,), 0, Crop(photo.pixels, np.eye(2, 3), points))


def _readable(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        raise GalleryError(f"{file.name} is damaged: build the gallery again.") from error


def _row(file: Path, i: int, columns: list[str]) -> dict[str, Any]:
    """Row ``i`` of a file written with row groups of ``ROW_GROUP``."""
    parquet = _readable(file)
    if not 0 <= i < parquet.metadata.num_rows:
        raise GalleryError(f"{file.name} has no row {i}.")
    group = parquet.read_row_group(i // ROW_GROUP, columns=columns)
    return group.slice(i % ROW_GROUP, 1).to_pylist()[0]
