"""A network of one's own: handed over as an object, or by an architecture and a manifest."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from xfv_core import Ask, Verifier, XfvError
from xfv_core.explain import MethodError, methods
from xfv_core.models import (
    FaceModel,
    NetworkError,
    architecture_names,
    own_card,
    register,
    registry,
)
from xfv_core.models.base import embed_all
from xfv_core.weights.manifest import ManifestError, load_manifest

ROOT = Path(__file__).resolve().parent.parent
SIZE = 112


class Colours(FaceModel):
    """The embedding is the colour of 7 x 7 squares; not a weight in it."""

    name, input_size, embedding_dim = "colours", SIZE, 147

    def embed(self, x: Tensor) -> Tensor:
        return functional.normalize(functional.avg_pool2d(x, 16).flatten(1) - 0.5, dim=1)


class Plain:
    """The same, and no module: only asked for embeddings."""

    name, input_size, embedding_dim, device = "plain", SIZE, 147, torch.device("cpu")

    def embed(self, x: Tensor) -> Tensor:
        return Colours().embed(x)


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    verifier = Verifier(device="cpu")
    verifier.add(Colours(), own_card("colours", size=SIZE, threshold=0.8, title="Colours"))
    verifier.add(Plain(), own_card("plain", size=SIZE, threshold=0.8))
    return verifier


@pytest.fixture
def pair(examples: Path) -> tuple[Path, Path]:
    return examples / "obama.jpg", examples / "obama2.jpg"


# ------------------------------------------------------------------------------------ as an object


def test_an_added_network_gives_verdicts_at_the_threshold_of_its_card(
    verifier: Verifier, pair: tuple[Path, Path]
) -> None:
    verdict = verifier.verify(*pair, model="colours")
    crops = torch.stack([verifier.portrait(photo, "colours").tensor() for photo in pair])
    by_hand = float(Colours().embed(crops).prod(0).sum())
    assert verdict.similarity == pytest.approx(by_hand, abs=1e-5)
    assert verdict.same == (verdict.similarity >= 0.8) and not verdict.calibrated
    assert verifier.manifest.card("colours").title == "Colours"


def test_a_question_may_bring_its_own_threshold(
    verifier: Verifier, pair: tuple[Path, Path]
) -> None:
    similarity = verifier.verify(*pair, model="colours").similarity
    for threshold in (similarity - 0.01, similarity + 0.01):
        verdict = verifier.verify(*pair, model="colours", threshold=threshold)
        assert verdict.same == (threshold < similarity)
        assert (verdict.threshold, verdict.operating_point) == (threshold, "own")


def test_a_network_is_offered_the_methods_that_fit_it(verifier: Verifier) -> None:
    assert verifier.methods_for("colours") == ["occlusion", "fggb"]
    assert verifier.methods_for("plain") == ["occlusion"]
    assert verifier.methods_for("plain", "study") == ["occlusion", "corrrise", "random"]
    assert verifier.studied("plain") == [
        "occlusion:standard", "occlusion:standard,view=raw", "occlusion:paper,view=raw", "corrrise",
        "random",
    ]  # fmt: skip
    assert "colours" in verifier.models_for("xssab")
    assert "plain" not in verifier.models_for("xssab")
    for method in methods():
        asked = [name for name in verifier.manifest.models if method in
                 verifier.methods_for(name, "study")]  # fmt: skip
        assert sorted(asked) == sorted(verifier.models_for(method))


@pytest.mark.parametrize(("model", "method"), [("colours", "fggb"), ("plain", "occlusion")])
def test_an_added_network_is_explained(
    verifier: Verifier, pair: tuple[Path, Path], model: str, method: str
) -> None:
    options = {"preset": "fast"} if method == "occlusion" else {}
    found = verifier.explained(*pair, model=model, method=method, **options)
    assert found.fidelity is not None and found.maps.a.any()
    assert found.maps.model == model
    assert json.dumps(found.to_dict())


def test_what_does_not_fit_is_said(verifier: Verifier, pair: tuple[Path, Path]) -> None:
    with pytest.raises(MethodError, match="plain gives no gradients"):
        verifier.explained(*pair, model="plain", method="fggb")
    with pytest.raises(MethodError, match="colours is no sum of patches"):
        verifier.explained(*pair, model="colours", method="patches")


def test_without_any_threshold_the_way_out_is_said(pair: tuple[Path, Path]) -> None:
    verifier = Verifier(device="cpu")
    verifier.add(Colours(), own_card("colours", size=SIZE))
    with pytest.raises(ManifestError, match="No cosine threshold is published for colours"):
        verifier.verify(*pair, model="colours")
    assert verifier.verify(*pair, model="colours", threshold=0.5).threshold == 0.5


def test_another_network_of_the_same_name_takes_its_place_at_once(
    pair: tuple[Path, Path],
) -> None:
    class Inverted(Colours):
        def embed(self, x: Tensor) -> Tensor:
            return super().embed(x.flip(3))

    verifier, card = Verifier(device="cpu"), own_card("colours", size=SIZE, threshold=0.8)
    verifier.add(Colours(), card)
    verifier.verify(*pair, model="colours")
    verifier.add(Inverted(), card)
    portrait = verifier.portrait(pair[0], "colours")
    expected = Inverted().embed(portrait.tensor()[None])
    assert not torch.allclose(expected, Colours().embed(portrait.tensor()[None]), atol=1e-3)
    similarity = verifier.verify(pair[0], pair[0], model="colours").similarity
    remembered, _ = verifier._looked(portrait, verifier.model("colours"))
    assert similarity == pytest.approx(1, abs=1e-5)
    assert remembered == pytest.approx(expected[0].numpy(), abs=1e-6)


class _Wrong(Colours):
    def __init__(self, embed: Any) -> None:
        super().__init__()
        self._embed = embed

    def embed(self, x: Tensor) -> Tensor:
        return self._embed(super().embed(x))


@pytest.mark.parametrize(
    ("embed", "words"),
    [
        (lambda f: f * 2, "not of length 1: normalise them"),
        (lambda f: f * float("nan"), "not of length 1"),
        (lambda f: f[:, :5], r"gives \(2, 5\) for 2 crops, not \(2, 147\)"),
        (lambda f: f[0], r"gives \(147,\) for 2 crops"),
        (lambda f: f @ f, "does not take crops of 112 px: "),
    ],
)
def test_what_is_no_face_network_is_refused_in_a_sentence(embed: Any, words: str) -> None:
    verifier = Verifier(device="cpu")
    with pytest.raises(NetworkError, match=words) as caught:
        verifier.add(_Wrong(embed), own_card("colours", size=SIZE))
    assert str(caught.value).startswith("colours ") and "\n" not in str(caught.value)
    assert "colours" not in verifier.manifest.models


def test_the_device_of_a_module_follows_its_weights() -> None:
    class Weighted(Colours):
        def __init__(self) -> None:
            super().__init__()
            self.look = nn.Conv2d(3, 3, 1)

    network = Weighted()
    assert network.device == Colours().device == torch.device("cpu")
    assert network.to("meta").device == torch.device("meta")


# -------------------------------------------------------------------- by architecture and manifest


class Mixed(Colours):
    """Colours, mixed by a matrix that comes from a file."""

    input_size = SIZE

    def __init__(self, mix: Tensor) -> None:
        super().__init__()
        self.mix = nn.Parameter(mix)

    def embed(self, x: Tensor) -> Tensor:
        return super().embed(torch.einsum("ij,bjhw->bihw", self.mix, x))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Mixed:
        return cls(tensors["mix"])


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest in a folder of its own, its weights beside it, its architecture registered."""
    architecture_names()  # all that come by themselves are there
    monkeypatch.setattr(registry, "_architectures", dict(registry._architectures))
    register("mixed")(Mixed)
    weights = tmp_path / "weights" / "mixed.safetensors"
    weights.parent.mkdir()
    save_file({"mix": torch.eye(3).flip(0).contiguous()}, weights)
    data = weights.read_bytes()
    entry = {
        "title": "Mixed", "arch": "mixed", "config": {}, "hub": None,
        "bundled": "weights/mixed.safetensors", "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data), "license": "MIT", "source": "a test", "trained_on": "nothing",
        "input": {"size": SIZE, "crop": "template", "normalisation": "none"},
        "indicative_threshold": {"metric": "cosine similarity", "value": 0.8, "source": "a test"},
    }  # fmt: skip
    manifest = tmp_path / "mine.json"
    manifest.write_text(json.dumps({"default": "mixed", "models": {"mixed": entry}}))
    return manifest


def test_weights_are_found_beside_the_manifest_that_names_them(
    mixed: Path, pair: tuple[Path, Path]
) -> None:
    verifier = Verifier(manifest=load_manifest(mixed), device="cpu")
    verdict = verifier.verify(*pair)
    crops = torch.stack([verifier.portrait(photo, "mixed").tensor() for photo in pair])
    assert verdict.model == "mixed"
    assert verdict.similarity == pytest.approx(
        float(embed_all(Colours(), crops.flip(1), fast=False).prod(0).sum()), abs=1e-5
    )
    assert verifier.models_for("patches") == []
    with pytest.raises(XfvError, match="No model here can be explained by patches"):
        verifier.default_model("patches")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arch": "blended"}, "mixed: there is no architecture 'blended'; choose from .*mixed"),
        ({"arch": "object"}, "there is no architecture 'object'"),
        ({"input": {"size": 96}}, "mixed: input.size must be 112, not 96"),
        ({"arch": "rrf"}, "mixed: config: the key 'layers' is missing"),
        ({"arch": "rrf", "config": {"layers": 3, "hidden": 1, "local": 1, "dim": 1}},
         "mixed: config.layers must be a list, not 3"),
    ],
)  # fmt: skip
def test_an_entry_that_no_network_can_be_is_refused_before_anything_is_loaded(
    mixed: Path, change: dict[str, Any], words: str
) -> None:
    file = json.loads(mixed.read_text())
    entry = file["models"]["mixed"]
    entry |= {**change, "input": entry["input"] | change.get("input", {})}
    mixed.write_text(json.dumps(file))
    with pytest.raises(NetworkError, match=words):
        Verifier(manifest=load_manifest(mixed), device="cpu")


# ------------------------------------------------------------------------------------- agreement


def test_what_is_asked_is_one_value(verifier: Verifier, pair: tuple[Path, Path]) -> None:
    ask = Ask(pair, model="colours", method="xssab", threshold=0.5)
    assert verifier.answer(ask) == verifier.verify(*pair, model="colours", threshold=0.5)
    *_, last = verifier.reasons(ask)
    direct = verifier.explained(*pair, model="colours", method="xssab", threshold=0.5)
    assert last.maps is direct.maps and last.verdict == direct.verdict
    with pytest.raises(AttributeError):
        ask.model = "plain"  # type: ignore[misc]


def test_asking_for_reasons_without_a_model_takes_one_that_fits(pair: tuple[Path, Path]) -> None:
    ask = Ask(pair, method="fggb")
    assert ask.explainer().name == "fggb"
    assert replace(ask, method="occlusion", options={"preset": "fast"}).explainer().cost == 1
    with pytest.raises(MethodError, match="no method 'tea leaves'"):
        replace(ask, method="tea leaves").explainer()


# ------------------------------------------------------------------------------------- the example


@pytest.mark.slow
def test_the_example_of_the_documentation_runs_from_any_folder(tmp_path: Path) -> None:
    script = tmp_path / "own_network.py"
    script.write_text((ROOT / "examples" / "own_network.py").read_text())
    photos = [str(ROOT / "examples" / name) for name in ("obama.jpg", "obama2.jpg")]
    found = subprocess.run(
        [sys.executable, str(script), *photos], cwd=tmp_path, text=True, capture_output=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""}, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    verdict, *reasons = found.stdout.splitlines()
    assert "model colours" in verdict and len(reasons) == 2


def test_the_documentation_shows_the_example_that_runs() -> None:
    example = (ROOT / "examples" / "own_network.py").read_text()
    code = example.split('"""\n', 1)[1].strip()
    assert code in (ROOT / "docs" / "own-network.md").read_text()
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 20
