"""What docs repeat of the code and of weights.json, written anew: python -m scripts.documents

Between ``<!-- NAME -->`` and ``<!-- end -->`` stands what a function below makes; a test compares.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from xfv_core.cli import app
from xfv_core.confidence.measures import MEASURES
from xfv_core.weights.manifest import load_manifest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
WRITTEN = ("cli.md", "api.md", "measured.md", "CONTRIBUTING.md")
LAYERS = re.compile(r"^layers = \[\n(.*?)^\]", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Write them."""
    for name in WRITTEN:
        file = DOCS / name
        file.write_text(filled(file.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str) -> str:
    """A document with its blocks made anew."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{MAKERS[found[2]]()}\n\n{found[3]}", text)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command of the program by its name, groups taken apart."""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        yield from ((f"{name} {word}", each) for word, each in (inner or {}).items())
        if inner is None:
            yield name, command


def options() -> str:
    """A table of options per command."""
    return "\n\n".join(_command(name, command) for name, command in commands())


def _command(name: str, command: Any) -> str:
    arguments = [each.name.upper() for each in command.params if each.param_type_name == "argument"]
    rows = [_option(each) for each in command.params if each.param_type_name == "option"]
    about = " ".join((command.help or "").split("\n\n")[0].split())
    table = ["| option | what | default |", "|---|---|---|", *rows] if rows else []
    return "\n".join([f"### `{' '.join([name, *arguments])}`", "", about, "", *table]).rstrip()


def _option(option: Any) -> str:
    default = "required" if option.required else _default(option.default)
    words = f"`{' / '.join([*option.opts, *option.secondary_opts])}`"
    return f"| {words} | {option.help or ''} | {default} |"


def _default(value: Any) -> str:
    return "" if value in (None, "", False, ()) else f"`{value}`"


def names() -> str:
    """The public names of the package and what each is."""
    import xfv_core

    rows = [f"| `{name}` | {_says(getattr(xfv_core, name))} |" for name in xfv_core.__all__]
    return "\n".join(["| name | what it is |", "|---|---|", *rows])


def _says(thing: Any) -> str:
    if isinstance(thing, str):
        return f"the version, `{thing}`"
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")


def verifier() -> str:
    """The calls of a `Verifier`."""
    from xfv_core import Verifier

    shown = ("verify", "explain", "explained", "answer", "reasons", "faces", "add", "models_for",
             "methods_for")  # fmt: skip
    rows = [f"| `{name}` | {_says(getattr(Verifier, name))} |" for name in shown]
    return "\n".join(["| call | what it does |", "|---|---|", *rows])


def verdict() -> str:
    """The fields of a `Verdict`."""
    from xfv_core import Verdict

    return f"```text\n{inspect.getdoc(Verdict)}\n```"


def endpoints() -> str:
    """The endpoints of the page: parameters and answers."""
    from page import api

    return "\n\n".join(_endpoint(each) for each in (api.verify, api.explain, api.models))


def _endpoint(function: Callable[..., Any]) -> str:
    return f"### `/{function.__name__}`\n\n```text\n{inspect.getdoc(function)}\n```"


def groups() -> str:
    """False matches by group, of every network that was asked."""
    found = {
        card.name: {cell["name"]: cell for cell in card.figures.groups["cells"]}
        for card in load_manifest(ROOT / "weights.json").models.values()
        if card.figures.groups
    }
    first = next(iter(found.values()))
    rows = [[cell, *(_rate(cells[cell]) for cells in found.values())] for cell in first]
    return _table(["group", *found], rows)


def _rate(cell: Mapping[str, Any]) -> str:
    return _share(cell["fmr"]["balanced"], cell["interval"]["balanced"])


def rules() -> str:
    """Error rates of the default network's rules on the sets that were asked."""
    card = load_manifest(ROOT / "weights.json").card("sface")
    curve = card.calibration.conditional if card.calibration else None
    if curve is None:
        raise ValueError("sface has no bar that moves with the pair")
    rows = [
        [name, rule.name, _share(rates.fmr, rates.fmr_interval),
         _share(rates.fnmr, rates.fnmr_interval)]
        for rule in curve.rules for name, rates in rule.rates.items()
    ]  # fmt: skip
    return _table(["set", "rule", "false matches, %", "false non-matches, %"], sorted(rows))


def held_out() -> str:
    """The probability before and after, of every evaluation that takes measures."""
    rows = [
        [found["model"], found["pairs"], *map(" → ".join, _before_and_after(found))]
        for found in _evaluations()
    ]
    head = ["network", "pairs", "FMR, %", "FNMR, %", "ECE, %", "C_llr, bits",
            "above 99 %: share of pairs, of those right, %"]  # fmt: skip
    return _table(head, rows)


def _before_and_after(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    alone = found["alone"]
    for kind in ("fmr", "fnmr"):
        yield f"{100 * alone[kind]:.1f}", _share(found[kind], found[f"{kind}_interval"])
    before, after = alone["probability"], found["probability"]
    chance = f"(by chance up to {100 * after['ece_band'][1]:.2f})"
    yield f"{100 * before['ece']:.2f}", f"{100 * after['ece']:.2f} {chance}"
    yield f"{before['cllr']:.3f}", f"{after['cllr']:.3f}"
    yield _sure(before), _sure(after)


def _evaluations() -> list[dict[str, Any]]:
    files = sorted((ROOT / "results").glob("*.json"))
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [found for found in results if found.get("alone")]


def _sure(found: Mapping[str, Any]) -> str:
    sure = found["above_99"]
    return f"{100 * sure['share']:.0f}, {100 * sure['right']:.2f}" if sure["n"] else "0"


def misses() -> str:
    """FNMR and FMR of people held out, by tenths of the poorer photo's norm and typicality."""
    found = [each for each in _evaluations() if each["pairs"] == "people.csv"]
    rows = []
    for each in found:
        for measure in ("norm", "typicality"):
            for tenth, (span, judged) in enumerate(each["slices"][measure].items(), start=1):
                errors = [
                    _share(judged[kind], judged[f"{kind}_interval"]) for kind in ("fnmr", "fmr")
                ]
                rows.append([each["model"], MEASURES[measure].title, str(tenth), span, *errors])
    head = ["network", "measure", "tenth", "from, to", "false non-matches, %", "false matches, %"]
    return _table(head, rows)


def _share(rate: float | None, interval: Sequence[float] | None) -> str:
    if rate is None or interval is None:
        return "not measured"
    low, high = interval
    return f"{100 * rate:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def layers() -> str:
    """The layers that import-linter holds, from the top, and what their modules say they are."""
    found = LAYERS.search((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError("pyproject.toml names no layers")
    rows = [line.split(" | ") for line in re.findall(r'"(.*)"', found[1])]
    says = [" ".join(filter(None, map(_module_says, row))) for row in rows]
    named = [", ".join(f"`{name}`" for name in row) for row in rows]
    return _table(["layer", "what it is"], zip(named, says, strict=True))


def _module_says(name: str) -> str:
    path = ROOT / name.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    says = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    first = " ".join(says.split("\n\n")[0].split()).replace("``", "`")
    return first and first.rstrip(".") + "."


MAKERS = {
    each.__name__: each
    for each in (
        options,
        names,
        verifier,
        verdict,
        endpoints,
        groups,
        rules,
        held_out,
        misses,
        layers,
    )
}

if __name__ == "__main__":
    main()
