"""Our maps against the plain way of making them, side by side; run it as a module.

Occlusion maps against a whole pass per mask and against captum's, FGGB against a loop of
``torch.autograd.grad``; rivals from elsewhere once as a user would write them and once made as fast
as they go. All contenders of a race run in turn in every round, and a ratio is the median over
rounds, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import json
import platform
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image, ImageOps
from torch import Tensor

from xfv_core import Verifier
from xfv_core.evaluation.kept import write_rows
from xfv_core.evaluation.speed.races import Contender, Result, Turn, race, results_of
from xfv_core.evaluation.speed.rivals import (
    Embed,
    Opaque,
    captum_masks,
    captum_occlusion,
    fast_embed,
    looped_fggb,
    plain_embed,
)
from xfv_core.explain import Maps, Method
from xfv_core.explain.fggb import FGGB
from xfv_core.explain.masks import OFFERED, PRESETS
from xfv_core.explain.occlusion import Occlusion
from xfv_core.explain.patches import Patches
from xfv_core.live import Live
from xfv_core.models.base import BATCH, Chained, FaceEmbedder, embed_all

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
REPEATS = 50  # of what takes milliseconds
PHOTO_SIDE = 800  # px on the long side of a photo, for the latency of a verdict
VERDICT, LIVE = f"verdict on two {PHOTO_SIDE} px photos, never seen", "a live frame of 640x480"


@dataclass(frozen=True)
class Report:
    """One run on one machine. ``agreement``: correlations and errors of maps, by what is held
    against what; ``operations_saved``: of whole passes, share by preset; ``peak_mib``: of this
    process after a verdict and all maps of ours."""

    machine: str
    threads: int
    rounds: int
    verdict_seconds: float
    live_seconds: float
    peak_mib: float
    agreement: dict[str, float]
    operations_saved: dict[str, float]
    results: tuple[Result, ...]


def occlusion_race(
    model: FaceEmbedder, photos: Tensor, preset: str, plain: Embed, rounds: int
) -> Iterator[Turn]:
    """Ours against whole passes and against captum, as it comes and made fast."""
    ways = {
        "fp32, unfolded, one mask at a time": (plain, 1),
        "same dtype, folded, batched": (fast_embed(model), BATCH),
    }
    yield from whole_pass_race(model, photos, preset, rounds, captum_rivals(photos, preset, ways))


def captum_rivals(
    photos: Tensor, preset: str, ways: Mapping[str, tuple[Embed, int]]
) -> list[Contender]:
    """captum with an embedding and a batch by way, scaled to as many masks as ours has."""
    share = PRESETS[preset].masks / captum_masks(preset)
    return [
        Contender(f"captum, {way}", partial(captum_occlusion, embed, photos, preset, batch), share)
        for way, (embed, batch) in ways.items()
    ]


def whole_pass_race(
    model: FaceEmbedder, photos: Tensor, preset: str, rounds: int, more: Sequence[Contender] = ()
) -> Iterator[Turn]:
    """Ours against a whole pass of the network for every mask, and ``more``."""
    method = Occlusion(preset=preset, view="raw")
    whole = Contender("a whole pass per mask", lambda: final(method, Opaque(model), photos, 0.0))
    yield from mask_race(model, photos, method, [whole, *more], rounds)


def mask_race(
    model: FaceEmbedder, photos: Tensor, method: Occlusion, rivals: Sequence[Contender], rounds: int
) -> Iterator[Turn]:
    """Our occlusion maps against others of as many masks."""
    ours = Contender("ours", lambda: final(method, model, photos, 0.0))
    what = f"{model.name}, occlusion {method.preset}, 2 x {PRESETS[method.preset].masks} masks"
    yield from race(what, ours, rivals, rounds)


def gradient_race(
    model: FaceEmbedder, photos: Tensor, plain: Embed, threshold: float, rounds: int
) -> Iterator[Turn]:
    """Ours against the loop over channels, frozen and folded, unfolded, and batched."""
    ours = Contender("ours", lambda: final(FGGB(), model, photos, threshold))
    rivals = [
        Contender("loop, folded, frozen", lambda: looped_fggb(model.embed, photos, threshold)),
        Contender("loop, unfolded, not frozen", lambda: looped_fggb(plain, photos, threshold)),
        Contender("autograd, folded, small batches",
                  lambda: final(FGGB(), Opaque(model), photos, threshold)),
    ]  # fmt: skip
    yield from race(f"{model.name}, FGGB, 2 x {model.embedding_dim} channels", ours, rivals, rounds)


def patches_race(
    model: FaceEmbedder, photos: Tensor, threshold: float, rounds: int
) -> Iterator[Turn]:
    """What the summands and both maps' values cost on top of the similarity alone."""

    def similarity() -> None:
        for _ in range(REPEATS):
            a, b = embed_all(model, photos, fast=False)
            float(a @ b)

    def summed() -> None:
        for _ in range(REPEATS):
            final(Patches(), model, photos, threshold)

    share = 1 / REPEATS
    ours = Contender("ours", summed, share)
    rivals = [Contender("the similarity alone", similarity, share)]
    yield from race(f"{model.name}, similarity and patch maps", ours, rivals, rounds)


def final(method: Method, model: FaceEmbedder, photos: Tensor, threshold: float) -> Maps:
    """The last maps of a method."""
    *_, last = method(model, photos[0], photos[1], threshold=threshold)
    return last


def agreement(
    model: FaceEmbedder, photos: Tensor, threshold: float, presets: Sequence[str]
) -> dict[str, float]:
    """How near our maps are to the exact ones: the worse photo of the two."""
    exact = looped_fggb(model.embed, photos, threshold).numpy()
    fggb = _both(final(FGGB(), model, photos, threshold))
    found = {
        "FGGB and the loop, correlation": _correlation(fggb, exact),
        "FGGB and the loop, largest error over largest value": float(
            np.abs(fggb - exact).max() / np.abs(exact).max()
        ),
    }
    for preset in presets:
        method = Occlusion(preset, view="raw")
        in_full = replace(method, bfloat16=False, tolerance=0)
        runs = ((method, model), (in_full, model), (method, Opaque(model)))
        ours, full, whole = (_both(final(m, net, photos, threshold)) for m, net in runs)
        found[f"occlusion {preset} and its float32, correlation"] = _correlation(ours, full)
        found[f"occlusion {preset} and whole passes, largest error"] = float(
            np.abs(ours - whole).max()
        )
    return found


def _both(maps: Maps) -> np.ndarray:
    return np.stack([maps.a, maps.b])


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    pairs = zip(first, second, strict=True)
    return min(float(np.corrcoef(x.ravel(), y.ravel())[0, 1]) for x, y in pairs)


def verdict_turns(
    verifier: Verifier, files: Sequence[Path], rounds: int, model: str | None = None
) -> Iterator[Turn]:
    """A verdict on two photos never seen before, everything loaded; at a threshold of no meaning,
    so that a network that nobody calibrated has one too."""
    photos = iter([[never_seen(file, i) for file in files] for i in range(rounds + 1)])
    ours = Contender("ours", lambda: verifier.verify(*next(photos), model=model, threshold=0.5))
    yield from race(VERDICT, ours, (), rounds)


def live_turns(verifier: Verifier, files: Sequence[Path]) -> Iterator[Turn]:
    """A camera's frame, 640x480 as JPEG: decoding, detector, verdict, overlays."""
    with Image.open(files[1]) as image:
        frame = ImageOps.pad(image.convert("RGB"), (640, 480))
    buffer = BytesIO()
    frame.save(buffer, "JPEG", quality=85)
    cameras = Live(verifier)
    token, seen = cameras.open(files[0]), buffer.getvalue()
    yield from race(LIVE, Contender("ours", lambda: cameras.frame(token, seen)), (), REPEATS)


def never_seen(file: Path, i: int) -> bytes:
    """A JPEG of the photo at 800 px with a corner of its own, so that nothing is reused."""
    with Image.open(file) as image:
        grow = PHOTO_SIDE / max(image.size)
        photo = image.convert("RGB").resize([round(side * grow) for side in image.size])
    photo.paste((8 * i, 0, 0), (0, 0, 8, 8))
    buffer = BytesIO()
    photo.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def bench(files: Sequence[Path], presets: Sequence[str], rounds: int) -> tuple[list[Turn], Report]:
    """Measure everything on one pair of photos with the default model."""
    verifier = Verifier()
    name = verifier.manifest.default
    turns = [*verdict_turns(verifier, files, rounds)]
    verdict, model = verifier.verify(*files), verifier.model(name)
    photos = torch.stack([verifier.portrait(file, name).tensor() for file in files])
    final(FGGB(), model, photos, verdict.threshold)
    maps = {p: final(Occlusion(preset=p), model, photos, verdict.threshold) for p in OFFERED}
    peak, plain = _peak_mib(), plain_embed(model)
    turns += [t for p in presets for t in occlusion_race(model, photos, p, plain, rounds)]
    turns += gradient_race(model, photos, plain, verdict.threshold, rounds)
    bundled = [c.name for c in verifier.manifest.models.values() if c.bundled and c.name != name]
    chains = [other for other in map(verifier.model, bundled) if isinstance(other, Chained)]
    for other in chains:
        turns += [t for p in presets for t in whole_pass_race(other, photos, p, rounds)]
    for adding in map(verifier.model, verifier.models_for("patches")):
        turns += patches_race(adding, photos, verdict.threshold, rounds)
    turns += live_turns(verifier, files)
    return turns, Report(
        machine=f"{platform.machine()}, torch {torch.__version__}",
        threads=torch.get_num_threads(),
        rounds=rounds,
        verdict_seconds=median(t.seconds for t in turns if t.what == VERDICT),
        live_seconds=median(t.seconds for t in turns if t.what == LIVE),
        peak_mib=peak,
        agreement=agreement(model, photos, verdict.threshold, presets),
        operations_saved={p: m.details["operations_saved"] for p, m in maps.items()},
        results=tuple(results_of(turns)),
    )


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def written(report: Report) -> str:
    """The report as a table."""
    lines = [
        f"{report.machine}, {report.threads} threads, median of {report.rounds} rounds",
        f"verdict on two {PHOTO_SIDE} px photos {report.verdict_seconds:.2f} s; "
        f"peak memory with all maps {report.peak_mib:.0f} MiB",
        f"a live frame of 640x480 {1000 * report.live_seconds:.0f} ms",
        f"{'':36} {'against':44} {'ours s':>8} {'theirs s':>8} {'ratio':>6}",
    ]
    for r in report.results:
        lines.append(f"{r.what:36} {r.rival:44} {r.ours:8.4f} {r.theirs:8.4f} {r.ratio:6.2f}")
    lines += [f"{what}: {value:.7g}" for what, value in report.agreement.items()]
    saved = report.operations_saved.items()
    lines += [f"occlusion {preset}, operations saved: {share:.3f}" for preset, share in saved]
    return "\n".join(lines)


def main(
    photos: Annotated[tuple[Path, Path], typer.Option(help="Two photos, a face in each.")] = (
        EXAMPLES / "obama.jpg",
        EXAMPLES / "obama2.jpg",
    ),
    preset: Annotated[list[str], typer.Option(help="Occlusion presets to race.")] = [*OFFERED],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=1, max=30, help="Rounds of every race.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    rows: Annotated[Path | None, typer.Option(help="Parquet to keep every round in.")] = None,
) -> None:
    """Seconds of our maps and of their rivals, in one run on this machine."""
    if unknown := set(preset) - set(PRESETS):
        raise typer.BadParameter(f"no preset {unknown.pop()!r}; choose from {', '.join(PRESETS)}")
    turns, report = bench(photos, preset, rounds)
    if rows:
        write_rows(rows, turns, {"machine": report.machine, "threads": report.threads})
    typer.echo(json.dumps(asdict(report), indent=2) if as_json else written(report))


if __name__ == "__main__":
    typer.run(main)
