"""What every method gets from its base class and the registry, tried with methods of one line."""

from __future__ import annotations

import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from xfv_core.explain import (
    Method,
    MethodError,
    Values,
    make_method,
    method_named,
    methods,
    option,
    register,
    registry,
)
from xfv_core.explain.judged import explain_crops
from xfv_core.models.base import FaceModel, embed_all

SIDE = 8
Found = Iterator[Values]


class MeanColour(FaceModel):
    """The embedding is the direction of the mean colour."""

    name, input_size, embedding_dim = "mean colour", SIDE, 3

    def embed(self, x: Tensor) -> Tensor:
        return torch.nn.functional.normalize(x.mean((2, 3)), dim=1)


@dataclass(frozen=True)
class Brightness(Method):
    """A map of how bright each pixel is, times a factor."""

    times: int = option(1, "factor", {1: "as it is", 2: "doubled"}, more=(9,))
    edge: float = option(0.0, "border", least=0, most=4, offered=False)
    seed: int = 0

    name, title, about = "brightness", "Brightness", "How bright a pixel is. Nothing else."
    unit = "brightness"

    def maps(
        self, model: FaceModel, pair: Tensor, threshold: float, steps: Any
    ) -> Iterator[Values]:
        embed_all(model, pair)
        yield Values(self.times * pair.mean(1).numpy(), details={"threshold": threshold})


class Halves(Brightness):
    """The same in two steps; the first takes a nap, so does who hears of it."""

    name = "halves"

    def maps(
        self, model: FaceModel, pair: Tensor, threshold: float, steps: Any
    ) -> Iterator[Values]:
        for share in (0.5, 1.0):
            time.sleep(0.02)
            embed_all(model, pair)
            steps(share)
            yield Values(share * pair.mean(1).numpy())


class Nothing(Brightness):
    """Yields nothing."""

    name, title = "nothing", "Nothing"

    def maps(
        self, model: FaceModel, pair: Tensor, threshold: float, steps: Any
    ) -> Iterator[Values]:
        yield from ()


class Hoarding(Brightness):
    """Holds something of its photos until it is let go."""

    name = "hoarding"
    held: ClassVar[list[weakref.ref[Tensor]]] = []

    def maps(
        self, model: FaceModel, pair: Tensor, threshold: float, steps: Any
    ) -> Iterator[Values]:
        kept = pair.clone()
        self.held[:] = [weakref.ref(kept)]
        yield Values(pair.mean(1).numpy())
        del kept


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    methods()
    monkeypatch.setattr(registry, "_known", dict(registry._known))


def pair() -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return a, b


# ---------------------------------------------------------------------------------- the base class


def test_what_a_method_kept_is_freed_while_its_final_maps_wait() -> None:
    stream = Hoarding()(MeanColour(), *pair(), threshold=0.3)
    assert next(stream).progress == 1
    assert [held() for held in Hoarding.held] == [None]


def test_what_a_method_yields_becomes_signed_maps_with_name_unit_and_cost() -> None:
    a, b = pair()
    (maps,) = Brightness(times=2)(MeanColour(), a, b, threshold=0.3)
    assert maps.a == pytest.approx(2 * a.mean(0).numpy()) and maps.a.dtype == np.float32
    assert maps.b == pytest.approx(2 * b.mean(0).numpy())
    assert (maps.method, maps.model, maps.unit) == ("brightness", "mean colour", "brightness")
    assert maps.cost.passes == 2 and maps.progress == 1
    assert maps.details == {"threshold": 0.3}


def test_passes_and_seconds_are_those_of_the_method_alone() -> None:
    reported: list[float] = []

    def slow(share: float) -> None:
        reported.append(share)
        time.sleep(0.3)

    found = []
    for maps in Halves()(MeanColour(), *pair(), threshold=0, steps=slow):
        embed_all(MeanColour(), torch.zeros(5, 3, SIDE, SIDE))  # the caller's own
        time.sleep(0.3)
        found.append(maps)
    assert reported == [0.5, 1.0] == [maps.progress for maps in found]
    assert [maps.cost.passes for maps in found] == [2, 4]
    assert 0.02 <= found[0].cost.seconds < found[1].cost.seconds < 0.3


def test_whoever_asks_hears_that_a_method_which_says_nothing_is_done() -> None:
    reported: list[float] = []
    next(Brightness()(MeanColour(), *pair(), threshold=0, steps=reported.append))
    assert reported == [1.0]


def test_values_of_cells_carry_the_cells_in_their_unit() -> None:
    class Cells(Brightness):
        def maps(self, model: FaceModel, pair: Tensor, *rest: Any) -> Iterator[Values]:
            yield Values(pair.mean(1).numpy(), passes=7, cell=4)

    (maps,) = Cells()(MeanColour(), *pair(), threshold=0)
    assert maps.unit == "brightness, per 4 x 4 px"
    assert maps.shown().a == pytest.approx(16 * maps.a)
    assert maps.cost.passes == 7


def test_a_method_that_makes_no_maps_is_a_sentence() -> None:
    with pytest.raises(MethodError, match="Nothing ended before its maps were finished"):
        list(Nothing()(MeanColour(), *pair(), threshold=0))
    with pytest.raises(MethodError, match="Nothing ended"):
        list(explain_crops(MeanColour(), *pair(), Nothing(), threshold=0, same=True))


def test_a_network_that_a_method_does_not_fit_is_refused_before_any_work() -> None:
    class Plain:
        name, input_size, embedding_dim, device = "plain", SIDE, 3, torch.device("cpu")

        def embed(self, x: Tensor) -> Tensor:
            raise AssertionError("asked for work")

    for name in ("fggb", "xssab", "patches", "parts", "gradcam"):
        assert not method_named(name).fits(Plain())
        with pytest.raises(MethodError, match="plain"):
            next(make_method(name)(Plain(), *pair(), threshold=0))
    assert method_named("occlusion").fits(Plain()) and method_named("corrrise").fits(Plain())


# ----------------------------------------------------------------------------------------- options


def test_options_say_what_there_is_to_choose() -> None:
    times, edge, seed = Brightness.options()
    assert (times.name, times.label, times.default, times.offered) == ("times", "factor", 1, True)
    assert times.choices == {1: "as it is", 2: "doubled"} and times.more == (9,)
    assert (edge.least, edge.most, edge.offered) == (0, 4, False)
    assert (seed.label, seed.offered) == ("seed", False)


def test_a_text_is_read_as_the_value_it_means() -> None:
    times, edge, _ = Brightness.options()
    assert [times.read(text) for text in ("2", "9", "3", "many")] == [2, 9, 3, "many"]
    assert edge.read("1.5") == 1.5 and edge.read("wide") == "wide"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"times": 3}, "No brightness times is 3; choose from 1, 2."),
        ({"times": [2]}, r"times is \[2\]; choose from"),
        ({"edge": 5.0}, "edge is 5.0; it is from 0 to 4."),
        ({"edge": "wide"}, "edge is 'wide'; it is a number."),
        ({"seed": 0.5}, "seed is 0.5; it is a whole number."),
        ({"sugar": 2}, "brightness has no option 'sugar'; it has times, edge, seed."),
    ],
)
def test_a_wrong_option_is_a_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(MethodError, match=words):
        Brightness.having(**options)


def test_a_method_without_options_says_so() -> None:
    with pytest.raises(MethodError, match="gradcam has no option 'preset'; it has none"):
        make_method("gradcam", preset="fast")


# ---------------------------------------------------------------------------------------- registry


def test_every_method_is_found_and_in_order() -> None:
    assert list(methods("page")) == ["occlusion", "fggb", "patches", "parts"]
    assert list(methods("api")) == ["occlusion", "fggb", "xssab", "patches", "parts"]
    baselines = ["corrrise", "gradcam", "random"]
    assert list(methods()) == [*methods("api"), *baselines]


def test_every_method_says_what_others_show_of_it() -> None:
    for name, method in methods().items():
        made = make_method(name)
        assert method.name == name and method.title and made.unit and made.cost >= 1
        assert method.about.count(".") >= 2 or name == "random", name
        assert all(each.label for each in method.options())
        assert len(fields(method)) == len(method.options())


def test_a_program_that_asks_for_a_baseline_hears_what_there_is() -> None:
    with pytest.raises(MethodError, match="no method 'random'; choose from occlusion, fggb, xssab"):
        method_named("random", "api")


def test_more_work_costs_more() -> None:
    fast, paper = (make_method("occlusion", preset=name).cost for name in ("fast", "paper"))
    assert fast == 1 < make_method("fggb").cost < paper


@pytest.mark.usefixtures("own_registry")
def test_a_registered_method_is_one_of_them() -> None:
    register(Brightness)
    assert list(methods("page"))[-1] == "brightness"
    assert make_method("brightness", times=2) == Brightness(2)


@pytest.mark.usefixtures("own_registry")
def test_the_method_of_the_documentation_runs() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "own-network.md").read_text()
    code = text.split("## A method of your own")[1].split("```python\n")[1].split("```")[0]
    exec(compile(code, "own-network.md", "exec", dont_inherit=True), {"__name__": __name__})
    (maps,) = make_method("brightness", times=2)(MeanColour(), *pair(), threshold=0)
    assert maps.a == pytest.approx(2 * pair()[0].mean(0).numpy())


OUTSIDE = """
from dataclasses import dataclass
from xfv_core.explain import Method, Values, register

@register
class Tea(Method):
    name, title, about, unit = "tea", "Tea leaves", "Leaves. Nothing more.", "leaves"

    def maps(self, model, pair, threshold, steps):
        yield Values(pair.mean(1).numpy())
"""


@pytest.mark.slow
def test_a_package_that_announces_a_method_needs_no_line_of_ours(tmp_path: Path) -> None:
    (tmp_path / "tea.py").write_text(OUTSIDE)
    announced = tmp_path / "tea-1.0.dist-info"
    announced.mkdir()
    (announced / "METADATA").write_text("Metadata-Version: 2.1\nName: tea\nVersion: 1.0\n")
    (announced / "entry_points.txt").write_text("[xfv.methods]\ntea = tea\n")
    root = Path(__file__).resolve().parents[2]
    code = "from xfv_core.explain import methods; print(*methods('page'))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, capture_output=True, check=True,
        env={"PYTHONPATH": f"{root}:{tmp_path}", "PATH": ""},
    )  # fmt: skip
    assert found.stdout.split()[-1] == "tea"
