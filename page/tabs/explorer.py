"""Whole pair sets: filter and sort the verdicts, open a pair with all its maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from page.html import EXPLORER_SCRIPT
from page.html.explorer import grid, opened, overview
from page.html.maps import maps, waiting
from page.server.inputs import whole_number
from page.server.limits import admit_maps
from page.widgets import MAPS, SILENT, in_words, methods, verifier
from xfv_core import XfvError
from xfv_core.explain import method_named
from xfv_core.gallery import ORDERS, OUTCOMES, Gallery

BUNDLED = str(Path(__file__).resolve().parents[2] / "examples" / "gallery")
NAMED = {BUNDLED: "Example pairs"}
WAITING = "Choose a pair; its maps appear here."

gallery = cache(Gallery)  # by source; the sources are those the server was started with


def methods_for(model: str) -> list[tuple[str, str]]:
    """The methods that can explain a model, with the names of their tabs."""
    fitting = verifier.methods_for(model, "page")
    return [(method.title, name) for name, method in methods().items() if name in fitting]


def models_of(source: str) -> list[tuple[str, str]]:
    """The models of this manifest that a gallery was computed for: title, name."""
    cards = verifier.manifest.models
    return [(cards[n].title, n) for n in gallery(source).info.models if n in cards]


def readable(sources: Sequence[str]) -> list[str]:
    """Those that were computed for a model of this manifest."""
    return [source for source in sources if models_of(source)]


@in_words
def choose_source(source: str) -> gr.Dropdown:
    """Another data set has other models."""
    models = models_of(source)
    return gr.Dropdown(models, value=models[0][1])


@in_words
def turned_to(event: gr.EventData) -> int:
    """The page that was asked for."""
    return whole_number(event, "page")


@in_words
def pairs(
    source: str,
    model: str,
    outcome: str,
    order: str,
    low: float,
    high: float,
    method: str,
    page: int,
) -> str:
    """One page of the pairs that fit."""
    found = gallery(source)
    between = (low / 100, high / 100)
    rows = found.verdicts(model).chosen(outcome, between, order, method)
    return grid(found, model, rows, page)


@in_words
def picked(event: gr.EventData) -> int:
    """The pair that was opened."""
    return whole_number(event, "row")


def open_pair(
    source: str, model: str, method: str, row: int, request: gr.Request
) -> Iterator[tuple[str, str]]:
    """One pair's verdict and ever better maps; at once where they are stored."""
    if row < 0:  # none is open
        yield gr.skip(), gr.skip()
        return
    said = ""
    try:
        admit_maps(request, method_named(method, "page")())
        found = gallery(source)
        said = opened(found, model, row)
        for explanation in found.explain(verifier, model, row, method):
            yield said, maps(explanation)
    except XfvError as problem:
        yield said, waiting(str(problem))


@in_words
def renewed(
    source: str,
    model: str,
    listed: tuple[str, str],
    outcome: str,
    order: str,
    low: float,
    high: float,
) -> Sequence[Any]:
    """What the gallery amounts to for a model, what can explain it, the first page of its pairs,
    and none of them open: all in one answer, so that no half of it can follow a visitor's click.

    A dropdown may tell of one choice twice; by then somebody may have opened a pair.
    """
    if (source, model) == listed:
        return [gr.skip()] * 8
    offered = methods_for(model)
    listing = pairs(source, model, outcome, order, low, high, offered[0][1], 0)
    method = gr.Radio(offered, value=offered[0][1])
    return (
        (source, model), overview(gallery(source), model), method, 0, -1, listing, "",
        waiting(WAITING),
    )  # fmt: skip


def explorer(sources: Sequence[str]) -> None:
    """Data set and model, what they amount to, the pairs, one of them."""
    first, models = sources[0], models_of(sources[0])
    shown = models[0][1]
    page, row, listed = gr.State(0), gr.State(-1), gr.State((first, shown))
    with gr.Row():
        titled = [(NAMED.get(s, Path(s).name if Path(s).is_dir() else s), s) for s in sources]
        source = gr.Dropdown(titled, value=first, label="Data set")
        model = gr.Dropdown(models, value=shown, label="Model")
    offered = methods_for(shown)
    summary = gr.HTML(overview(gallery(first), shown))
    with gr.Row(elem_id="explorer-filter"):
        outcome = gr.Dropdown(list(OUTCOMES), value="all", label="Show")
        order = gr.Dropdown(list(ORDERS), value=ORDERS[0], label="In order")
        low = gr.Slider(0, 100, value=0, step=1, label="Sure from, %")
        high = gr.Slider(0, 100, value=100, step=1, label="to, %")
    listing = gr.HTML(
        pairs(first, shown, "all", ORDERS[0], 0, 100, "", 0),
        js_on_load=EXPLORER_SCRIPT,
        elem_id="explorer-grid",
    )
    said = gr.HTML()
    method = gr.Radio(offered, value=offered[0][1], label="Why?", elem_id="explorer-method")
    view = gr.HTML(waiting(WAITING), elem_id="explorer-maps", elem_classes="xfv-holder")

    chosen: list[Any] = [source, model, outcome, order, low, high, method, page]
    to_list = (pairs, chosen, listing)
    to_open = (open_pair, [source, model, method, row], [said, view])
    quietly: dict[str, Any] = {**SILENT, "trigger_mode": "always_last"}
    renew = (
        renewed, [source, model, listed, outcome, order, low, high],
        [listed, summary, method, page, row, listing, said, view],
    )  # fmt: skip
    # one after the other: a dropdown tells of one choice twice, and of two at once both would begin
    in_order: dict[str, Any] = {**quietly, "concurrency_id": "renewed", "concurrency_limit": 1}
    model.input(*renew, **in_order)
    # its first model may have the same name: nothing would tell that anything changed
    source.input(choose_source, source, model, **quietly).then(*renew, **in_order)
    gr.on(
        [outcome.change, order.change, low.release, high.release], lambda: 0, None, page, **quietly
    ).then(*to_list, **quietly)
    listing.input(turned_to, None, page, **quietly).then(*to_list, **quietly)
    opening = listing.select(picked, None, row, **quietly)
    opening.then(*to_open, show_progress="hidden", **MAPS)
    method.input(*to_open, show_progress="hidden", **MAPS)
