"""What an entry of a manifest says of its network is checked before any weights are read."""

from __future__ import annotations

import re
from typing import Any

import pytest

from xfv_core import Verifier, XfvError
from xfv_core.models import network_class
from xfv_core.weights.manifest import InputSpec, load_manifest

SPEC = InputSpec(160, "template", "x")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arch": "tea"}, "rrf28: there is no architecture 'tea'; choose from ecnet"),
        (
            {"config": {}},
            "rrf28: config: the key 'layers' is missing",
        ),
        ({"config": {"hidden": "many"}}, "config.hidden must be a positive whole number"),
        ({"config": {"width": 8}}, "config: unknown key 'width'"),
        ({"config": {"layers": [[8, 4]]}}, "config.layers.0: the key"),
        ({"config": {"layers": [[200, 4, 3]]}}, "Patches of 200 px every 4 px do not reach"),
        ({"input": SPEC}, "rrf28: input.size must be 112, not 160"),
    ],
)
def test_a_manifest_whose_network_cannot_be_built_is_refused_at_the_start(
    changes: dict[str, Any], words: str
) -> None:
    manifest = load_manifest()
    if changes.get("config"):
        changes = {"config": {**manifest.card("rrf28").config, **changes["config"]}}
    with pytest.raises(XfvError, match=re.escape(words)):
        Verifier(manifest=manifest.changed("rrf28", **changes))


@pytest.mark.parametrize("name", ["sface", "facenet"])
def test_a_network_without_settings_takes_none(name: str) -> None:
    card = load_manifest().changed(name, config={"width": 8}).card(name)
    with pytest.raises(XfvError, match="it has no settings, but \\['width'\\] are given"):
        network_class(card)


def test_every_entry_of_ours_can_be() -> None:
    for card in load_manifest().models.values():
        network_class(card)
