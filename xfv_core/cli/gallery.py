"""The commands about the results of a whole pair set: gallery build, gallery push."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from xfv_core.cli.options import Aligned, DryRun, Models, Pairs, Partial, Seed
from xfv_core.errors import needs

app = typer.Typer(no_args_is_help=True, help="Results of a whole pair set, for the Explorer.")


@app.command("build")
def gallery_build(
    pairs: Pairs,
    out: Annotated[Path, typer.Option(help="Folder of the gallery; the same resumes.")],
    images: Annotated[Path | None, typer.Option(help="Where the photos are.")] = None,
    aligned: Aligned = False,
    model: Models = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Whose maps are stored; repeatable. Without: those the page offers."),
    ] = None,
    name: Annotated[str, typer.Option(help="What the page calls the pairs.")] = "",
    sample: Annotated[int, typer.Option(help="Pairs with maps besides all errors.")] = 100,
    seed: Seed = 0,
    partial: Partial = False,
) -> None:
    """Verdicts for every pair, maps for errors and a sample; shared out by accelerate launch."""
    needs("accelerate", "pyarrow", extra="evaluate")
    from xfv_core import Verifier
    from xfv_core.evaluation.data.pairs import PhotoStore, read_pairs
    from xfv_core.evaluation.processes import over_processes
    from xfv_core.evaluation.verdicts.gallery import Plan, build_shards, finish

    pair_set = read_pairs(pairs)
    store = images or pair_set.root or Path(pairs).parent
    if partial:
        with PhotoStore(store) as photos:
            pair_set = pair_set.having(photos)
    pair_set = replace(pair_set, name=name or pair_set.name)
    verifier = Verifier()
    plan = Plan(
        pair_set, store, aligned, model or [verifier.manifest.default], method or (),
        sample=sample, seed=seed,
    )  # fmt: skip
    if over_processes(functools.partial(build_shards, verifier, plan, out), "shard"):
        typer.echo(finish(verifier, plan, out).to_json())


@app.command("push")
def gallery_push(
    folder: Path,
    repo_id: Annotated[str, typer.Option(help="OWNER/NAME of a data set on the Hub.")],
    public: Annotated[
        bool, typer.Option("--public", help="A new data set is private else.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Send a gallery to the Hub; HF_TOKEN has to be a token that may write there."""
    needs("pyarrow", extra="evaluate")
    from xfv_core.publish import push_gallery

    typer.echo(push_gallery(folder, repo_id, public=public, dry_run=dry_run).listing)
