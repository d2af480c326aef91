"""The page starts for any manifest, and shows what its models can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from gradio.blocks import Blocks

from page.html.patches import _bar
from page.photo import PhotoImage, photo_widget
from page.server.folder import KEEP_SECONDS
from page.whole import build
from page.widgets import methods, verifier
from tests.explain.test_patches import made_up
from xfv_core.weights.manifest import Manifest, load_manifest


@pytest.fixture
def with_models(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The page's verifier with a few of the manifest's models only."""

    def only(*names: str, **added: str) -> None:
        """``added``: a new name, and the model that it is a copy of."""
        whole = load_manifest()
        cards = {name: whole.models[name] for name in names}
        cards |= {new: replace(whole.models[old], name=new) for new, old in added.items()}
        monkeypatch.setattr(verifier, "manifest", Manifest(names[0], cards, whole.folder))

    return only


def tabs_of(page: Blocks) -> list[str]:
    return [block.label for block in page.blocks.values() if block.get_block_name() == "tabitem"]


def methods_of(page: Blocks) -> list[str]:
    (switch,) = (each for each in page.blocks.values() if each.elem_id == "method")
    return [title for title, _ in switch.choices]


def test_with_every_model_there_is_every_tab_and_method() -> None:
    page = build()
    assert tabs_of(page) == ["Two photos", "Live camera", "Explorer", "Models"]
    assert methods_of(page) == [method.title for method in methods().values()]


def test_with_the_default_model_alone_there_is_no_camera_and_neither_patches_nor_parts(
    with_models: Callable[..., None],
) -> None:
    with_models("sface")
    page = build()
    assert tabs_of(page) == ["Two photos", "Explorer", "Models"]
    assert methods_of(page) == ["Occlusion", "Gradients"]


def test_without_a_model_that_a_gallery_was_computed_for_there_is_no_explorer(
    with_models: Callable[..., None],
) -> None:
    with_models("facenet")
    assert "Explorer" not in tabs_of(build())


def test_a_second_part_network_needs_no_picture_of_its_channels(
    with_models: Callable[..., None],
) -> None:
    with_models("sface", "ecnet", another="ecnet")
    assert "Parts" in methods_of(build())


def test_what_the_verifier_remembers_goes_when_the_uploads_go() -> None:
    assert verifier.keep_seconds == KEEP_SECONDS


@pytest.mark.parametrize("size", [3, 14, 56])
def test_a_patch_of_any_size_is_shown_in_the_bars(size: int) -> None:
    found = replace(made_up([0] * 64, [0] * 64, grid=8), size=size, stride=8)
    face = np.zeros((336, 336, 3), np.uint8)
    assert _bar(found, face, 63, 0.1, "chin", 0.1).picture.startswith("data:image/jpeg")


def test_the_photo_widget_keeps_its_class_through_updates_and_is_an_image_to_the_browser() -> None:
    with Blocks():
        photo = photo_widget("Photo", "photo")
        anew = type(photo)(type="pil")
    assert isinstance(anew, PhotoImage)
    assert photo.get_block_name() == "image"


def choices_of(page: Blocks, elem_id: str) -> list[str]:
    found = [each for each in page.blocks.values() if each.elem_id == elem_id]
    return [value for each in found for _, value in each.choices]


def test_a_network_without_a_bar_is_not_offered_unless_it_is_the_default(
    with_models: Callable[..., None],
) -> None:
    with_models("sface", "adaface_ir18")
    assert choices_of(build(), "model") == ["sface"]
    with_models("adaface_ir18", "sface")
    assert choices_of(build(), "model") == ["adaface_ir18", "sface"]


def test_an_onnx_network_is_offered_where_its_runtime_is_installed(
    with_models: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_models("sface", "sface_fp32")
    assert choices_of(build(), "model") == ["sface", "sface_fp32"]
    monkeypatch.setattr("page.widgets.find_spec", lambda name: None)
    assert choices_of(build(), "model") == ["sface"]


def test_a_method_that_explains_every_network_offered_has_no_choice_of_networks() -> None:
    assert choices_of(build(), "occlusion-network") == []
