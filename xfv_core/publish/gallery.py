"""A gallery -> a data set on the Hub, whose viewer shows its tables."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub as hf

from xfv_core.confidence import CROPS
from xfv_core.gallery import Gallery, Info
from xfv_core.gallery.files import INFO
from xfv_core.publish.upload import Publication, checked_name, send

BODY = """
# {info.name}, explained by xfv

Verdicts of face verification networks on {info.n_pairs:,} pairs of photos, with the maps that
explain them. Made by `python -m xfv_core gallery build`, to be looked at with
`python app.py --gallery OWNER/NAME`.

- Faces: {crops}; photos without a face, left out: {lost}
- Maps are stored for all errors and {info.sample} more pairs, sampled with seed {info.seed}
- xfv {info.version}

{models}

`pairs-MODEL` has a row per pair: label, cosine similarity, P(same person) at equal odds, threshold
and verdict at the rule below, deletion gain of each method's map against chance, mean rank
correlation between methods, and the maps: int8 steps of 1/127 of `peak`. `photos-*` holds the
crops.

## Limits

- For looking at how networks judge and why. Not for training, not for decisions about people, not
  for finding out who somebody is.
- The photos show people. Whoever publishes or uses this data set answers for having the right to,
  and for the terms of the pair set it was made from.
- Figures hold for this pair set. Who is rare in it, or was rare in what a network learnt from, is
  judged worse than they say; the models' cards have what was measured by group.
"""


def push_gallery(
    folder: Path,
    repo_id: str,
    *,
    public: bool = False,
    dry_run: bool = False,
    endpoint: str | None = None,
) -> Publication:
    """Send a gallery to the data set ``repo_id`` (owner/name) in one commit.

    Faces are personal data: a new data set is private unless ``public``. ``dry_run`` sends
    nothing and needs no token. Raises PublishError, GalleryError where ``folder`` holds none.
    """
    checked_name(repo_id)
    info = Gallery(folder).info
    files = {"README.md": str(gallery_card(info)).encode()}
    files |= {name: (folder / name).read_bytes() for name in [INFO, *_tables(info)]}
    if not dry_run:
        send(files, repo_id, private=not public, endpoint=endpoint, repo_type="dataset")
    return Publication(files, None)


def gallery_card(info: Info) -> hf.DatasetCard:
    """README.md of the data set: each table is a configuration of its own."""
    data = hf.DatasetCardData(
        task_categories=["image-classification"],
        tags=["face-verification", "explainability"],
        pretty_name=f"{info.name}, explained by xfv",
        configs=[{"config_name": Path(name).stem, "data_files": name} for name in _tables(info)],
    )
    models = "\n".join(
        f"- `{name}`: decided by the rule {found.operating_point}, weights sha256 "
        f"`{found.sha256}`, maps by {', '.join(found.methods)}"
        for name, found in info.models.items()
    )
    crops, lost = CROPS.get(info.path, info.path), f"{len(info.lost):,}"
    body = BODY.format(info=info, crops=crops, lost=lost, models=models)
    return hf.DatasetCard(f"---\n{data.to_yaml()}\n---\n{body}")


def _tables(info: Info) -> list[str]:
    return sorted({file for found in info.models.values() for file in (found.pairs, found.photos)})
