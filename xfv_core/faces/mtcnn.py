"""MTCNN: three small networks, each over what the one before found (Zhang et al., 2016,
arXiv 1604.02878), with the weights of facenet-pytorch.

Its own module of the networks imports torchvision, and torch._dynamo with it, for one suppression
of overlapping boxes: as long as torch itself takes. The numbers are the same; a test compares them.
"""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from xfv_core.errors import XfvError

WEIGHTS = {  # sha256 of the files inside facenet-pytorch, which are pickles
    "pnet.pt": "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
    "rnet.pt": "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
    "onet.pt": "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
}
PNET_SIDE, RNET_SIDE, ONET_SIDE = 12, 24, 48  # px that a face fills in the input of each network
PNET_STRIDE = 2
SURE = (0.6, 0.7, 0.7)  # probability from which a candidate goes on, by network
PYRAMID = 0.709  # from one size to the next: half the area
BATCH = 512


class DetectorError(XfvError):
    """The detector's own files are not what they should be."""


class Branches(nn.Sequential):
    """Layers one after the other, and those named with ``_`` each on the result of the others."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        heads = []
        for name, layer in self.named_children():
            if "_" in name:
                heads.append(layer(x))
            else:
                x = layer(x)
        return tuple(heads)


class ColumnsFirst(nn.Flatten):
    """(B,C,H,W) -> (B,W·H·C), the order in which Caffe, where MTCNN was trained, flattens."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 3, 2, 1))


def pnet() -> Branches:
    """(B,3,H,W) -> logits (B,2,h,w) and offsets of the box (B,4,h,w), one place every 2 px."""
    return Branches(
        OrderedDict(
            conv1=nn.Conv2d(3, 10, 3), prelu1=nn.PReLU(10), pool1=nn.MaxPool2d(2, ceil_mode=True),
            conv2=nn.Conv2d(10, 16, 3), prelu2=nn.PReLU(16),
            conv3=nn.Conv2d(16, 32, 3), prelu3=nn.PReLU(32),
            conv4_1=nn.Conv2d(32, 2, 1), conv4_2=nn.Conv2d(32, 4, 1),
        )
    )  # fmt: skip


def rnet() -> Branches:
    """(B,3,24,24) -> logits (B,2) and offsets of the box (B,4)."""
    return Branches(
        OrderedDict(
            conv1=nn.Conv2d(3, 28, 3), prelu1=nn.PReLU(28),
            pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
            conv2=nn.Conv2d(28, 48, 3), prelu2=nn.PReLU(48),
            pool2=nn.MaxPool2d(3, 2, ceil_mode=True),
            conv3=nn.Conv2d(48, 64, 2), prelu3=nn.PReLU(64),
            flat=ColumnsFirst(), dense4=nn.Linear(576, 128), prelu4=nn.PReLU(128),
            dense5_1=nn.Linear(128, 2), dense5_2=nn.Linear(128, 4),
        )
    )  # fmt: skip


def onet() -> Branches:
    """(B,3,48,48) -> logits (B,2), offsets of the box (B,4), landmarks (B,10): five x, five y."""
    return Branches(
        OrderedDict(
            conv1=nn.Conv2d(3, 32, 3), prelu1=nn.PReLU(32),
            pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
            conv2=nn.Conv2d(32, 64, 3), prelu2=nn.PReLU(64),
            pool2=nn.MaxPool2d(3, 2, ceil_mode=True),
            conv3=nn.Conv2d(64, 64, 3), prelu3=nn.PReLU(64), pool3=nn.MaxPool2d(2, ceil_mode=True),
            conv4=nn.Conv2d(64, 128, 2), prelu4=nn.PReLU(128),
            flat=ColumnsFirst(), dense5=nn.Linear(1152, 256), prelu5=nn.PReLU(256),
            dense6_1=nn.Linear(256, 2), dense6_2=nn.Linear(256, 4), dense6_3=nn.Linear(256, 10),
        )
    )  # fmt: skip


class MTCNN:
    """The three networks, frozen; their state is only read, so threads may share one."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        """Load the networks; raises `DetectorError` where their files were changed."""
        self.device, folder = torch.device(device), _folder()
        self.pnet, self.rnet, self.onet = (
            _loaded(network, folder / file).to(self.device)
            for network, file in zip((pnet(), rnet(), onet()), WEIGHTS, strict=True)
        )

    @torch.inference_mode()
    def detect(
        self, pixels: NDArray[np.uint8], smallest: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(H,W,3) uint8 RGB -> boxes (N,5), x0, y0, x1, y1 and probability, landmarks (N,5,2).

        Faces from ``smallest`` px upwards are looked for. Coordinates count from 1, as in MTCNN's
        own code.
        """
        photo = torch.from_numpy(pixels.copy()).to(self.device)
        photo = photo.permute(2, 0, 1)[None].float()  # (1,3,H,W)
        boxes = _on_photo(photo, self._proposed(photo, smallest))
        boxes = _on_photo(photo, self._refined(photo, boxes))
        boxes, points = self._finished(photo, boxes)
        return boxes.cpu().numpy(), points.cpu().numpy()

    def _proposed(self, photo: Tensor, smallest: float) -> Tensor:
        """Squares (N,5) where P-Net sees a face in some size of the photo."""
        found = [torch.empty(0, 9, device=self.device)]
        for scale in _scales(min(photo.shape[2:]), smallest):
            shrunk = _scaled(photo, [int(side * scale + 1) for side in photo.shape[2:]])
            logits, offsets = self.pnet(shrunk)
            p = logits.softmax(1)[0, 1]  # (h,w)
            places = (p >= SURE[0]).nonzero()  # (N,2) row, column
            corner = places.flip(1) * PNET_STRIDE + 1
            low, high = (corner / scale).floor(), ((corner + PNET_SIDE - 1) / scale).floor()
            rows, columns = places.T
            moved = offsets[0, :, rows, columns].T
            candidates = torch.cat([low, high, p[rows, columns, None], moved], 1)
            found.append(candidates[_suppressed(candidates, 0.5)])
        every = torch.cat(found)
        every = every[_suppressed(every, 0.7)]
        size = (every[:, 2:4] - every[:, :2]).repeat(1, 2)
        return _squared(torch.cat([every[:, :4] + every[:, 5:] * size, every[:, 4:5]], 1))

    def _refined(self, photo: Tensor, boxes: Tensor) -> Tensor:
        """Those of the squares (N,5) that R-Net takes for faces, moved as it says."""
        if not len(boxes):
            return boxes
        logits, offsets = _batched(self.rnet, _cut(photo, boxes, RNET_SIDE))
        p = logits.softmax(1)[:, 1]
        passed = p > SURE[1]
        boxes, offsets = torch.cat([boxes[:, :4], p[:, None]], 1)[passed], offsets[passed]
        kept = _suppressed(boxes, 0.7)
        return _squared(_moved(boxes[kept], offsets[kept]))

    def _finished(self, photo: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Those of the squares (N,5) that O-Net takes for faces, with landmarks (N,5,2)."""
        if not len(boxes):
            return boxes, boxes.new_empty(0, 5, 2)
        logits, offsets, places = _batched(self.onet, _cut(photo, boxes, ONET_SIDE))
        p = logits.softmax(1)[:, 1]
        passed = p > SURE[2]
        boxes = torch.cat([boxes[:, :4], p[:, None]], 1)[passed]
        size = boxes[:, 2:4] - boxes[:, :2] + 1
        points = places[passed].view(-1, 2, 5).transpose(1, 2)  # (N,5,2)
        points = points * size[:, None] + boxes[:, None, :2] - 1
        boxes = _moved(boxes, offsets[passed])
        kept = _suppressed(boxes, 0.7, of_smaller=True)
        return boxes[kept], points[kept]


def _folder() -> Path:
    """Where facenet-pytorch keeps its weights, found without importing it."""
    package = find_spec("facenet_pytorch")
    if package is None or package.origin is None:
        raise DetectorError("The face detector is missing; install facenet-pytorch 2.5.3.")
    return Path(package.origin).parent / "data"


def _loaded(network: Branches, path: Path) -> Branches:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != WEIGHTS[path.name]:
        raise DetectorError(
            f"The face detector's file {path.name} is not the one this program was tested with; "
            "reinstall facenet-pytorch 2.5.3."
        )
    network.load_state_dict(torch.load(io.BytesIO(data), weights_only=True))
    return network.eval().requires_grad_(False)


def _scales(short_side: int, smallest: float) -> Iterator[float]:
    """Factors by which the photo is shrunk, so that faces of ``smallest`` px and more fit P-Net."""
    scale = PNET_SIDE / smallest
    while short_side * scale >= PNET_SIDE:
        yield scale
        scale *= PYRAMID


def _scaled(x: Tensor, size: list[int]) -> Tensor:
    """(B,3,H,W) of bytes, as floats -> (B,3,*size) as the networks want it."""
    return (interpolate(x, size=size, mode="area") - 127.5) * 0.0078125


def _cut(photo: Tensor, boxes: Tensor, side: int) -> Tensor:
    """The squares (N,5) of the photo, without what lies outside it: (N,3,side,side)."""
    crops = [photo[:, :, y0:y1, x0:x1] for x0, y0, x1, y1 in _pixels(photo, boxes).tolist()]
    return torch.cat([_scaled(crop, [side, side]) for crop in crops])


def _on_photo(photo: Tensor, boxes: Tensor) -> Tensor:
    """Those of the boxes (N,5) that hold at least one pixel of the photo."""
    x0, y0, x1, y1 = _pixels(photo, boxes).T
    return boxes[(x1 > x0) & (y1 > y0)]


def _pixels(photo: Tensor, boxes: Tensor) -> Tensor:
    """Slices x0, y0, x1, y1 (N,4) of the photo that boxes (N,5), counted from 1, stand for."""
    height, width = photo.shape[2:]
    corners = boxes[:, :4].trunc().long()
    low = corners[:, :2].clamp(min=1) - 1
    high = corners[:, 2:].minimum(corners.new_tensor([width, height]))
    return torch.cat([low, high], 1)


def _batched(network: Branches, x: Tensor) -> tuple[Tensor, ...]:
    """The network over (N,...) in batches that fit a GPU."""
    parts = [network(batch) for batch in x.split(BATCH)]
    return tuple(torch.cat(each) for each in zip(*parts, strict=True))


def _moved(boxes: Tensor, offsets: Tensor) -> Tensor:
    """Boxes (N,5) with their edges moved by ``offsets`` (N,4), in widths and heights."""
    size = (boxes[:, 2:4] - boxes[:, :2] + 1).repeat(1, 2)
    return torch.cat([boxes[:, :4] + offsets * size, boxes[:, 4:]], 1)


def _squared(boxes: Tensor) -> Tensor:
    """Boxes (N,5) widened to squares around the same middle."""
    size = boxes[:, 2:4] - boxes[:, :2]
    side = size.amax(1, keepdim=True)
    low = boxes[:, :2] + size / 2 - side / 2
    return torch.cat([low, low + side, boxes[:, 4:]], 1)


def _suppressed(boxes: Tensor, most: float, *, of_smaller: bool = False) -> Tensor:
    """Indices of the boxes (N,5+), surest first, without those that overlap a surer one by more.

    Overlap: intersection over union of edges, or of pixels over the smaller box (``of_smaller``).
    """
    values = boxes[:, :5].double().cpu().numpy()
    low, high, edge = values[:, :2], values[:, 2:4], 1.0 if of_smaller else 0.0
    area = np.prod(high - low + edge, axis=1)
    left, kept = np.argsort(-values[:, 4], kind="stable"), []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(int(best))
        sides = np.minimum(high[best], high[left]) - np.maximum(low[best], low[left]) + edge
        common = np.prod(np.maximum(sides, 0), axis=1)
        of = np.minimum(area[best], area[left]) if of_smaller else area[best] + area[left] - common
        left = left[common <= most * of]
    return torch.tensor(kept, dtype=torch.long, device=boxes.device)
