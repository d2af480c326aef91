"""Networks as the package timm writes them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from xfv_core.models.timm import TimmError, TimmModel

timm = pytest.importorskip("timm")
SMALL = {"img_size": 32, "patch_size": 8, "depth": 2, "embed_dim": 48, "num_heads": 3}
VIT = {"model": "vit_tiny_patch16_224", "dim": 16, "size": 32, "options": SMALL}


def test_weights_under_timms_names_give_what_timms_network_gives() -> None:
    network = timm.create_model(VIT["model"], num_classes=16, **SMALL).eval()
    model = TimmModel.from_tensors(network.state_dict(), VIT).eval()
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(model.embed(x), F.normalize(network(x * 2 - 1), dim=1), atol=1e-6)


@pytest.mark.parametrize("name", ["convnext_atto", "convnext_nano"])
def test_convnext_takes_faces_of_112_px(name: str) -> None:
    with torch.inference_mode():
        assert TimmModel(name, 32).eval().embed(torch.rand(1, 3, 112, 112)).shape == (1, 32)


def test_a_name_that_would_be_fetched_from_the_hub_is_no_network() -> None:
    with pytest.raises(TimmError, match="has no network"):
        TimmModel("hf-hub:somebody/something", 16)


@pytest.mark.parametrize("option", ["checkpoint_path", "pretrained", "pretrained_cfg"])
def test_an_option_that_would_read_a_file_is_refused(option: str) -> None:
    with pytest.raises(TimmError, match="is no size of a network"):
        TimmModel("convnext_atto", 16, options={option: "x"})


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(TimmError, match="no weights of vit_tiny"):
        TimmModel.from_tensors({"head.weight": torch.zeros(1)}, VIT)


def test_an_unknown_entry_of_the_config_is_refused() -> None:
    with pytest.raises(TimmError, match="has no 'colour'"):
        TimmModel.from_tensors({}, {**VIT, "colour": 1})
