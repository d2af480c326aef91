"""Compute a gallery: verdicts for every pair, maps for all errors and a sample.

Pairs are cut into shards of ``SHARD``; the processes of ``accelerate launch`` share the shards out,
each is written when it is finished, and a killed run goes on with those that are missing. One
process then lines the shards up, so that the files do not depend on who computed what.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from xfv_core import __version__
from xfv_core.errors import XfvError
from xfv_core.evaluation.data.pairs import PairsError, PairSet, PhotoStore
from xfv_core.evaluation.maps.study import choose_pairs
from xfv_core.explain import make_method, method_named
from xfv_core.faces.crops import TEMPLATE
from xfv_core.gallery.files import (
    INFO,
    MAP_SCHEMA,
    PHOTO_SCHEMA,
    ROW_GROUP,
    VERDICT_COLUMNS,
    Info,
    ModelResults,
    fidelity_column,
    pack_map,
)
from xfv_core.gallery.reader import ready_portrait
from xfv_core.models import embed_all
from xfv_core.results import Explanation, Portrait, Verdict
from xfv_core.verifier import Verifier

SHARD = 250  # pairs
WORK = "shards"
ALIGNED = "aligned"
Row = dict[str, Any]


class GalleryBuildError(XfvError):
    """The folder holds another gallery, or nothing can be computed."""


@dataclass(frozen=True)
class Plan:
    """What to compute. ``photos``: whole photos; without it ``images`` holds aligned crops.

    ``methods``: whose maps are stored, of all errors and ``sample`` more pairs (by ``seed``);
    without any, those that the page offers for a model.
    """

    pairs: PairSet
    store: Path
    aligned: bool
    models: Sequence[str]
    methods: Sequence[str] = ()
    operating_point: str = "balanced"
    sample: int = 100
    seed: int = 0

    @property
    def shards(self) -> list[range]:
        """The rows of each shard."""
        n = len(self.pairs)
        return [range(start, min(start + SHARD, n)) for start in range(0, n, SHARD)]

    def methods_of(self, verifier: Verifier, model: str) -> tuple[str, ...]:
        """The methods whose maps are stored for a model; MethodError for an unknown one."""
        for name in self.methods:
            method_named(name)
        return tuple(self.methods or verifier.methods_for(model))

    def crops(self, verifier: Verifier, model: str) -> str:
        """What the crops of a model are called; models that see the same share them."""
        spec = verifier.manifest.card(model).input
        return ALIGNED if self.aligned else f"{spec.crop}-{spec.size}-{spec.margin:g}"


def build_shards(
    verifier: Verifier,
    plan: Plan,
    out: Path,
    *,
    process: tuple[int, int] = (0, 1),
    steps: Callable[[int, int], None] | None = None,
) -> None:
    """This process's share (index, count) of the shards that ``out`` does not have yet.

    ``steps`` is called with (shards done by this process, shards it has to do). Raises
    GalleryBuildError where ``out`` holds the shards of another plan.
    """
    _same_plan(verifier, plan, out)
    index, count = process
    jobs = [(m, k) for m in plan.models for k in range(len(plan.shards))][index::count]
    todo = [job for job in jobs if not _shard(out, f"pairs-{job[0]}", job[1]).exists()]
    with PhotoStore(plan.store) as store:
        for done, (model, k) in enumerate(todo, start=1):
            rows, photos = compute(verifier, plan, store, model, plan.shards[k])
            _write(_shard(out, f"photos-{model}", k), photos, PHOTO_SCHEMA)
            _write(_shard(out, f"pairs-{model}", k), rows, _schema(verifier, plan, model))
            if steps:
                steps(done, len(todo))


def compute(
    verifier: Verifier, plan: Plan, store: PhotoStore, model: str, rows: range
) -> tuple[list[Row], list[Row]]:
    """The verdict rows of some pairs, and the rows of their photos; pairs whose photos hold no
    face are left out."""
    pairs = plan.pairs
    names = sorted({side[i] for i in rows for side in (pairs.paths_a, pairs.paths_b)})
    cut = {name: _cut(verifier, plan, store, model, name) for name in names}
    photos = {name: row for name, row in cut.items() if row}
    faces = {
        name: ready_portrait(p["image"]["bytes"], p["landmarks"]) for name, p in photos.items()
    }
    embeddings = _embedded(verifier, model, faces)
    sampled = {*choose_pairs(pairs.labels, "both", plan.sample, plan.seed)}
    found: list[Row] = []
    for i in rows:
        a, b = pairs.paths_a[i], pairs.paths_b[i]
        if a in faces and b in faces:
            pair = faces[a], faces[b]
            similarity = float(np.clip(embeddings[a] @ embeddings[b], -1, 1))
            verdict = verifier.judge(similarity, pair, model, plan.operating_point)
            genuine = bool(pairs.labels[i])
            explained = i in sampled or verdict.same != genuine
            row: Row = {"pair": i, "a": a, "b": b, "genuine": genuine, **_verdict_row(verdict)}
            row |= _contributions(verifier, model, pair)
            found.append(row | (_explained(verifier, plan, model, pair) if explained else {}))
    return found, list(photos.values())


def finish(verifier: Verifier, plan: Plan, out: Path) -> Info:
    """Line the shards up as the files of the gallery; they are gone afterwards.

    Raises GalleryBuildError while some are missing.
    """
    shards = range(len(plan.shards))
    missing = [m for m in plan.models for k in shards if not _shard(out, f"pairs-{m}", k).exists()]
    if missing:
        raise GalleryBuildError(f"{len(missing)} shards are missing: run the same command again.")
    by_crops: dict[str, list[str]] = {}
    for model in plan.models:
        by_crops.setdefault(plan.crops(verifier, model), []).append(model)
        parts = [pq.read_table(_shard(out, f"pairs-{model}", k)) for k in shards]
        _finished(pa.concat_tables(parts), out / f"pairs-{model}.parquet")
    known: set[str] = set()
    for crops, models in by_crops.items():
        kept: dict[str, Row] = {}
        for part in (_shard(out, f"photos-{m}", k) for m in models for k in shards):
            kept |= {row["name"]: row for row in pq.read_table(part).to_pylist()}
        table = pa.Table.from_pylist([kept[name] for name in sorted(kept)], PHOTO_SCHEMA)
        _finished(table, out / f"photos-{crops}.parquet")
        known |= kept.keys()
    info = _info(verifier, plan, tuple(sorted({*plan.pairs.photos} - known)))
    (out / INFO).write_text(info.to_json(), encoding="utf-8")
    shutil.rmtree(out / WORK)
    return info


def _info(verifier: Verifier, plan: Plan, lost: tuple[str, ...]) -> Info:
    return Info(
        name=plan.pairs.name,
        path=ALIGNED if plan.aligned else "served",
        n_pairs=len(plan.pairs),
        sample=plan.sample,
        seed=plan.seed,
        version=__version__,
        lost=lost,
        models={
            model: ModelResults(
                photos=f"photos-{plan.crops(verifier, model)}.parquet",
                pairs=f"pairs-{model}.parquet",
                methods=plan.methods_of(verifier, model),
                operating_point=plan.operating_point,
                sha256=verifier.manifest.card(model).sha256,
            )
            for model in plan.models
        },
    )


def _cut(verifier: Verifier, plan: Plan, store: PhotoStore, model: str, name: str) -> Row | None:
    """A photo's row: the crop as the model wants it, as a file; None where there is no face."""
    data = store.read(name)
    if plan.aligned:
        size = verifier.manifest.card(model).input.size
        picture = Image.open(BytesIO(data))
        if picture.size != (size, size):
            raise PairsError(f"{name} is no aligned crop of {size} x {size} px for {model}.")
        landmarks: np.ndarray = (TEMPLATE + 0.5) * (size / 112) - 0.5
        data = data if picture.format == "JPEG" else _webp(picture)
    else:
        try:
            crop = verifier.central_crop(data, model)
        except XfvError:
            return None
        data, landmarks = _webp(Image.fromarray(crop.pixels)), crop.landmarks
    return {
        "name": name,
        "image": {"bytes": data, "path": None},
        "landmarks": np.asarray(landmarks, np.float32).ravel(),
    }


def _webp(picture: Image.Image) -> bytes:
    memory = BytesIO()
    picture.convert("RGB").save(memory, "WEBP", lossless=True)
    return memory.getvalue()


def _embedded(
    verifier: Verifier, model: str, faces: Mapping[str, Portrait]
) -> dict[str, np.ndarray]:
    if not faces:
        return {}
    x = torch.stack([face.tensor() for face in faces.values()])
    rows = embed_all(verifier.model(model), x, fast=False).cpu().numpy()
    return dict(zip(faces, rows, strict=True))


def _verdict_row(verdict: Verdict) -> Row:
    names = ("similarity", "threshold", "confidence", "same", "answer")
    row = {name: getattr(verdict, name) for name in names}
    return row | {"probability": verdict.probability_same}


def _contributions(verifier: Verifier, model: str, pair: tuple[Portrait, Portrait]) -> Row:
    """For a network whose similarity is a sum: the summands."""
    if model not in verifier.models_for("patches"):
        return {}
    network: Any = verifier.model(model)
    with torch.inference_mode():
        scores = network.contributions(*(face.tensor().to(network.device) for face in pair))
    return {"contributions_a": scores.a.cpu().numpy(), "contributions_b": scores.b.cpu().numpy()}


def _explained(verifier: Verifier, plan: Plan, model: str, pair: tuple[Portrait, Portrait]) -> Row:
    last: list[Explanation] = []
    wanted = plan.methods_of(verifier, model)
    for method in wanted:
        explainer = make_method(method)
        *_, final = verifier.explain_portraits(pair, model, explainer, plan.operating_point)
        last.append(final)
    row: Row = {"maps": [pack_map(explanation) for explanation in last]}
    for explanation in last:
        assert explanation.fidelity is not None
        gain = explanation.fidelity.deletion_gain
        row[fidelity_column(explanation.maps.method)] = gain
    agreements = [
        rho
        for explanation in last
        for method, rho in explanation.agreement.items()
        if method in wanted  # not those of other networks
    ]
    return row | {"agreement": float(np.mean(agreements)) if agreements else None}


def _schema(verifier: Verifier, plan: Plan, model: str) -> pa.Schema:
    fields = dict(VERDICT_COLUMNS)
    fields |= {fidelity_column(method): pa.float32() for method in plan.methods_of(verifier, model)}
    if model in verifier.models_for("patches"):
        fields |= {f"contributions_{side}": pa.list_(pa.float32()) for side in "ab"}
    return pa.schema([*fields.items(), ("maps", pa.list_(MAP_SCHEMA))])


def _shard(out: Path, name: str, k: int) -> Path:
    return out / WORK / f"{name}-{k:05d}.parquet"


def _write(file: Path, rows: list[Row], schema: pa.Schema) -> None:
    """In one piece or not at all: what a kill leaves is no shard."""
    part = file.with_suffix(".part")
    pq.write_table(pa.Table.from_pylist(rows, schema), part)
    part.replace(file)


def _finished(table: pa.Table, file: Path) -> None:
    pq.write_table(table.combine_chunks(), file, compression="zstd", row_group_size=ROW_GROUP)


def _same_plan(verifier: Verifier, plan: Plan, out: Path) -> None:
    """Shards of another plan, or of other weights, would be mixed with these."""
    (out / WORK).mkdir(parents=True, exist_ok=True)
    file = out / WORK / "plan.json"
    pairs = json.dumps([plan.pairs.paths_a, plan.pairs.paths_b, plan.pairs.labels.tolist()])
    digest = hashlib.sha256(pairs.encode()).hexdigest()
    text = json.dumps({"info": _info(verifier, plan, ()).to_json(), "pairs": digest})
    if not file.exists():
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(text)
        part.replace(file)
    elif file.read_text() != text:
        raise GalleryBuildError(f"{out} holds another gallery; choose another folder.")
