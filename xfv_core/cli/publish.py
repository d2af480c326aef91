"""The command that publishes: publish, a model or the page."""

from __future__ import annotations

from typing import Annotated

import typer

from xfv_core.cli.options import DryRun, Manifest

app = typer.Typer()


@app.command()
def publish(
    model: Annotated[str, typer.Option(help="Registry name of a model to publish.")] = "",
    repo_id: Annotated[str, typer.Option(help="OWNER/NAME of its repository on the Hub.")] = "",
    space: Annotated[str, typer.Option(help="Or OWNER/NAME of a Space for the page.")] = "",
    dry_run: DryRun = False,
    private: Annotated[bool, typer.Option("--private", help="If the repository is new.")] = False,
    manifest: Manifest = None,
) -> None:
    """Send a model with card and config to the Hub and note the revision in weights.json, or
    send the page itself to a Space.

    HF_TOKEN has to be a token that may write there.
    """
    from xfv_core.publish import PublishError, publish_model, publish_space
    from xfv_core.weights.manifest import change_entry, load_manifest

    if space:
        typer.echo(publish_space(space, dry_run=dry_run, private=private).listing)
        return
    if not (model and repo_id):
        raise PublishError("Say what to publish: --model with --repo-id, or --space.")
    sent = publish_model(load_manifest(manifest), model, repo_id, dry_run=dry_run, private=private)
    typer.echo(sent.listing)
    if sent.hub is None:
        typer.echo("\n" + sent.files["README.md"].decode())
        return
    typer.echo(f"published: {sent.hub}")
    change_entry(model, manifest, hub=sent.hub)
