"""The widgets with which somebody asks about a pair, and what they ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from page.html.words import RULES
from page.photo import PhotoImage, Upload
from page.server.inputs import MaybeNumber
from page.widgets import listed_models, verifier
from xfv_core import Ask, XfvError
from xfv_core.explain import Method, Option
from xfv_core.explain.masks import OFFERED, PRESETS
from xfv_core.results import OWN

FOR_STUDIES = frozenset(PRESETS) - frozenset(OFFERED)  # choices that take minutes
# the key of the question is the first of the values, because its widget is made first
KEY_JS = "(...values) => [xfv.key(), ...values.slice(1)]"
Values = Mapping[Any, Any]  # by widget: what Gradio hands over where ``inputs`` is a set


@dataclass(frozen=True)
class MethodControls:
    """What a method can be asked to do differently: its options, and its network where it cannot
    explain every one."""

    options: Mapping[str, Any]
    network: gr.Radio | None

    @property
    def all(self) -> list[Any]:
        return [*self.options.values(), *([self.network] if self.network else ())]


@dataclass(frozen=True)
class Controls:
    """Everything that is asked about a pair. ``key``: of the question, see ``html/key.py``;
    ``picks``: by photo, which of its faces was chosen; ``prior``: the reader's, for the report."""

    key: gr.Textbox
    photos: tuple[PhotoImage, PhotoImage]
    picks: gr.State
    model: gr.Dropdown
    rule: gr.Dropdown
    threshold: gr.Number
    method: gr.Radio
    methods: Mapping[str, MethodControls]
    prior: gr.Number

    @property
    def pair(self) -> set[Any]:
        """What decides the verdict."""
        return {self.key, *self.photos, self.picks, self.model, self.rule, self.threshold}

    @property
    def changes(self) -> list[Any]:
        """The events that make another pair, or another verdict on it."""
        changed = [each.change for each in (*self.photos, self.model, self.rule)]
        return [*changed, self.threshold.submit, self.threshold.blur]

    @property
    def options(self) -> list[Any]:
        """The options of all methods."""
        return [widget for each in self.methods.values() for widget in each.all]

    @property
    def all(self) -> set[Any]:
        """What decides verdict and maps."""
        return {*self.pair, self.method, *self.options}

    def uploads(self, values: Values) -> tuple[Upload, Upload]:
        """Both photos; None where there is none yet."""
        return values[self.photos[0]], values[self.photos[1]]

    def of_pair(self, values: Values) -> Ask:
        """The verdict that is asked for; XfvError where a photo is missing."""
        a, b = self.uploads(values)
        if not (a and b):
            raise XfvError("Two photos are needed.")
        picks = values[self.picks]
        pick = (picks.get(a, 0), picks.get(b, 0))
        model, rule = values[self.model], values[self.rule]
        if rule != OWN:
            return Ask((a, b), pick, model, rule)
        threshold = values[self.threshold]
        if threshold is None:
            raise XfvError("Type a threshold of your own, a similarity from -1 to 1, or a rule.")
        return Ask((a, b), pick, model, threshold=threshold)

    def of_method(self, values: Values, method: str) -> Ask:
        """The maps that are asked for: of the chosen model where the method can explain it, else of
        the method's own choice."""
        asked, own = self.of_pair(values), self.methods[method]
        fits = verifier.models_for(method)
        model = values[own.network] if own.network else asked.model if asked.model in fits else None
        options = {name: values[widget] for name, widget in own.options.items()}
        return Ask(asked.photos, asked.pick, model, asked.rule, asked.threshold, method, options)


def model_widget() -> gr.Dropdown:
    """The networks that can answer."""
    named = [(verifier.manifest.card(name).title, name) for name in listed_models()]
    default = verifier.manifest.default
    return gr.Dropdown(named, value=default, label="Model", elem_id="model")


def rule_widget() -> gr.Dropdown:
    """The operating points."""
    named = [(words, name) for name, words in RULES.items()]
    return gr.Dropdown(named, value="balanced", label="Decide at", elem_id="rule")


def threshold_widget() -> MaybeNumber:
    """A similarity of one's own; there while the rule asks for it."""
    try:
        usual = round(verifier.threshold(verifier.manifest.default, "balanced"), 2)
    except XfvError:  # nobody knows one
        usual = None
    return MaybeNumber(
        usual, label="Same person from this similarity on", visible=False, step=0.01,
        elem_id="threshold",
    )  # fmt: skip


def shown_for(rule: str) -> MaybeNumber:
    """The threshold's widget under a rule."""
    return MaybeNumber(visible=rule == OWN)


def method_controls(method: type[Method]) -> MethodControls:
    """A widget per option that visitors are offered."""
    offered = [option for option in method.options() if option.offered]
    with gr.Row():
        network = network_widget(method)
        widgets = {option.name: option_widget(method, option) for option in offered}
    return MethodControls(widgets, network)


def network_widget(method: type[Method]) -> gr.Radio | None:
    """Which of several networks a method explains that cannot explain every one."""
    listed = listed_models()
    names = [name for name in verifier.models_for(method.name) if name in listed]
    if len(names) < 2 or len(names) == len(listed):
        return None
    titled = [(verifier.manifest.card(name).title, name) for name in names]
    return gr.Radio(titled, value=names[0], label="Network", elem_id=f"{method.name}-network")


def option_widget(method: type[Method], option: Option) -> Component:
    """The widget that suits an option."""
    shown: dict[str, Any] = {
        "label": option.label.capitalize(),
        "value": option.default,
        "elem_id": f"{method.name}-{option.name}",
    }
    if isinstance(option.default, bool):
        return gr.Checkbox(**shown)
    if option.choices:
        offered = {
            value: words for value, words in option.choices.items() if value not in FOR_STUDIES
        }
        return gr.Radio([(words, value) for value, words in offered.items()], **shown)
    return gr.Slider(option.least, option.most, **shown)
