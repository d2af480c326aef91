"""Options of a method: a dataclass field each, with the words and choices that others show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Option:
    """One thing that a method can be asked to do differently.

    label : a few words.    default : its value unless told otherwise.
    choices : value -> what it does, in words; empty where any value of the default's type goes.
    more : values that are none of the choices, for studies.
    least, most : bounds of a number.
    offered : to visitors; what is not is for studies.
    """

    name: str
    label: str
    default: Any
    choices: Mapping[Any, str]
    more: tuple[Any, ...]
    least: float
    most: float
    offered: bool

    def problem(self, value: Any) -> str:
        """What is wrong with a value, as the end of a sentence; empty where nothing is."""
        known = [*self.choices, *self.more]
        if self.choices and value not in known:
            return f"{self.name} is {value!r}; choose from {', '.join(map(str, self.choices))}."
        if not self.choices and not isinstance(value, self._kind):
            return f"{self.name} is {value!r}; it is {self._words}."
        if isinstance(value, int | float) and not self.least <= value <= self.most:
            return f"{self.name} is {value!r}; it is from {self.least:g} to {self.most:g}."
        return ""

    def read(self, text: str) -> Any:
        """The value that a text means: ``problem`` says whether there is such a value."""
        for value in (*self.choices, *self.more):
            if str(value) == text:
                return value
        if isinstance(self.default, bool):
            return {"true": True, "false": False}.get(text.lower(), text)
        try:
            return type(self.default)(text)
        except ValueError:
            return text

    @property
    def _kind(self) -> type | tuple[type, ...]:
        return (int, float) if isinstance(self.default, float) else type(self.default)

    @property
    def _words(self) -> str:
        names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
        return names.get(type(self.default), type(self.default).__name__)


def option(
    default: Any,
    label: str,
    choices: Mapping[Any, str] | None = None,
    *,
    more: tuple[Any, ...] = (),
    least: float = float("-inf"),
    most: float = float("inf"),
    offered: bool = True,
) -> Any:
    """A field of a method that others may list, show and set; see ``Option``."""
    said = {
        "label": label, "choices": choices or {}, "more": more, "least": least, "most": most,
        "offered": offered,
    }  # fmt: skip
    return field(default=default, metadata={"option": said})


def options_of(listed: tuple[Field[Any], ...]) -> tuple[Option, ...]:
    """The options that dataclass fields are; a plain field is one that is not offered."""
    plain = option(None, "", offered=False).metadata["option"]
    return tuple(
        Option(
            name=each.name,
            default=each.default,
            **{**plain, "label": each.name, **each.metadata.get("option", {})},
        )
        for each in listed
    )
