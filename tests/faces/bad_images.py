"""Pictures that try the loader: hostile or unreadable ones, and readable ones of odd kinds.

All are built in code. The hostile ones must each be refused in one sentence, the odd ones read.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pillow_heif
from PIL import Image, ImageDraw

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TURN_BACK = {  # EXIF orientation -> how an upright picture is stored to need it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # colour type -> channels


def sample(width: int = 64, height: int = 48) -> Image.Image:
    """A picture whose corners tell its orientation: red, green, blue and grey quarters."""
    image = Image.new("RGB", (width, height), (128, 128, 128))
    draw = ImageDraw.Draw(image)
    w, h = width // 2, height // 2
    draw.rectangle((0, 0, w - 1, h - 1), (220, 20, 20))
    draw.rectangle((w, 0, width, h - 1), (20, 200, 20))
    draw.rectangle((0, h, w - 1, height), (20, 20, 220))
    return image


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def heic(image: Image.Image, **options: object) -> bytes:
    """Through the library's own writer, so that no plugin is registered with Pillow."""
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int,
    height: int,
    depth: int = 8,
    colour: int = 2,
    raw: bytes | None = None,
    before: bytes = b"",
) -> bytes:
    """A PNG by hand: any depth, and chunks put before the data; without ``raw`` all zero."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    row = (width * PNG_CHANNELS[colour] * depth + 7) // 8
    data = zlib.compress(bytes((row + 1) * height) if raw is None else raw, 1)
    return (
        PNG_SIGNATURE + chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def png16(values: np.ndarray, colour: int) -> bytes:
    """(H,W,C) uint16 -> a PNG of 16 bits a channel, which Pillow itself cannot write."""
    height, width = values.shape[:2]
    rows = values.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    return png(width, height, 16, colour, raw)


def exif(orientation: int, order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (
        b"Exif\0\0" + mark + struct.pack(f"{order}IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    )


def declare(jpeg: bytes, width: int, height: int, *, precision: int = 8) -> bytes:
    """The JPEG with another size in its frame header."""
    start = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2"))
    header = struct.pack(">BHH", precision, height, width)
    return jpeg[: start + 4] + header + jpeg[start + 9 :]


def declare_heif(data: bytes, width: int, height: int) -> bytes:
    """The HEIC or AVIF with another size in its container, none in its stream."""
    start = data.index(b"ispe") + 8
    return data[:start] + struct.pack(">II", width, height) + data[start + 8 :]


def many_scans(jpeg: bytes, count: int) -> bytes:
    """The progressive JPEG with its last scan, tables included, repeated ``count`` times."""
    start = jpeg.rindex(b"\xff\xc4")
    return jpeg[:-2] + jpeg[start:-2] * count + jpeg[-2:]


def bad_images() -> dict[str, bytes]:
    """Name -> bytes; every one must be refused with one sentence and cost next to nothing."""
    noise = np.random.default_rng(7).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    jpeg, progressive = encode(picture, "JPEG"), encode(picture, "JPEG", progressive=True)
    good_png, webp = encode(picture, "PNG"), encode(picture, "WEBP")
    avif, heif = encode(picture, "AVIF", speed=10), heic(picture)
    megabytes = zlib.compress(bytes(8 << 20))
    return (
        _no_pictures()
        | _other_formats(picture)
        | {
            "truncated jpeg": jpeg[: len(jpeg) // 2],
            "jpeg without its last byte": jpeg[:-1],
            "truncated progressive jpeg": progressive[: len(progressive) // 2],
            "truncated png": good_png[: len(good_png) // 2],
            "truncated webp": webp[: len(webp) // 2],
            "truncated avif": avif[: len(avif) // 2],
            "truncated heic": heif[: len(heif) // 2],
            "jpeg header only": jpeg[: jpeg.index(b"\xff\xda")],
            "12-bit jpeg": declare(jpeg, 96, 96, precision=12),
            "lossless jpeg": jpeg.replace(b"\xff\xc0", b"\xff\xc3", 1),
            "jpeg without tables": jpeg.replace(b"\xff\xdb", b"\xff\xec"),
            "png with a wrong checksum": good_png[:-30] + b"\0" + good_png[-29:],
            "png with broken data": png(96, 96, raw=b"\7" * 999),
            "png without data": PNG_SIGNATURE + good_png[8:33] + chunk(b"IEND", b""),
            "png of unknown colour type": good_png[:25] + b"\5" + good_png[26:],
            "png whose text says transparency": png(
                96, 96, before=chunk(b"tEXt", b"transparency\0x")
            ),
            "png text bomb": png(96, 96, before=chunk(b"zTXt", b"a\0\0" + megabytes)),
            "png profile bomb": png(96, 96, before=chunk(b"iCCP", b"a\0\0" + megabytes)),
            "apng with wrong frames": png(
                96,
                96,
                before=chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", b"\xff" * 26),
            ),
            "png bomb of 144 megapixels": png(12000, 12000, 1, 0),
            "png that claims 65535 x 65535": png(65535, 65535, 8, 2, b"\0"),
            "jpeg that claims 60000 x 60000": declare(jpeg, 60000, 60000),
            "jpeg that claims 99 megapixels": declare(jpeg, 11000, 9000),
            "progressive jpeg that claims 99 megapixels": declare(progressive, 11000, 9000),
            "jpeg of zero height": declare(jpeg, 96, 0),
            "progressive jpeg of 300 scans": many_scans(progressive, 300),
            "webp bomb of 144 megapixels": _webp_claiming(12000, 12000),
            "avif that claims 30000 x 30000": declare_heif(avif, 30000, 30000),
            "heic that claims 30000 x 30000": declare_heif(heif, 30000, 30000),
            "heic larger than it claims": declare_heif(heic(sample(512, 512)), 64, 64),
            "tiny picture": encode(sample(8, 8), "PNG"),
            "strip": encode(sample(4000, 30), "PNG"),
            "file over the size limit": jpeg + bytes(40_000_000),
        }
    )


def _no_pictures() -> dict[str, bytes]:
    return {
        "empty file": b"",
        "one byte": b"\xff",
        "zeros": bytes(4096),
        "random bytes": np.random.default_rng(3).bytes(4096),
        "text": b"hello, this is no picture\n" * 40,
        "web page": b"<!DOCTYPE html><html><body>not found</body></html>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
        "zip": b"PK\3\4" + bytes(200),
        "video": struct.pack(">I", 24) + b"ftypisom" + bytes(2000),
        "jpeg signature only": b"\xff\xd8\xff",
        "png signature only": PNG_SIGNATURE,
        "webp signature only": b"RIFF\x10\0\0\0WEBP",
        "heic signature only": struct.pack(">I", 24) + b"ftypheic" + bytes(16),
        "avif signature only": struct.pack(">I", 24) + b"ftypavif" + bytes(16),
        "photoshop": b"8BPS\0\1" + bytes(100),
        "jpeg xl": b"\xff\x0a" + bytes(100),
    }


def _other_formats(picture: Image.Image) -> dict[str, bytes]:
    kinds = {"gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "jpeg 2000": "JPEG2000", "icon": "ICO"}
    return {name: encode(picture, kind) for name, kind in kinds.items()}


def _webp_claiming(width: int, height: int) -> bytes:
    size = (width - 1 | height - 1 << 14).to_bytes(4, "little")
    stream = b"\x2f" + size + bytes(13)
    body = b"WEBPVP8L" + struct.pack("<I", len(stream)) + stream
    return b"RIFF" + struct.pack("<I", len(body)) + body


def odd_images(base: Image.Image | None = None) -> dict[str, bytes]:
    """Name -> bytes: readable pictures of ``base`` (RGB), or of `sample`, upright once read."""
    image = base or sample()
    grey, alpha = image.convert("L"), Image.new("L", image.size, 255)
    layered = Image.merge("RGBA", (*image.split(), alpha))
    wide = np.asarray(image).astype(np.uint16) * 257
    jpeg = encode(image, "JPEG", quality=95)
    frames = [image.transpose(Image.Transpose.ROTATE_180)]
    turned = {
        f"jpeg with orientation {n}": encode(
            image.transpose(back), "JPEG", quality=95, exif=exif(n, ">" if n % 2 else "<")
        )
        for n, back in _TURN_BACK.items()
    }
    on_side = image.transpose(_TURN_BACK[6])
    return turned | {
        "grey jpeg": encode(grey, "JPEG"),
        "grey png": encode(grey, "PNG"),
        "grey png with alpha": encode(Image.merge("LA", (grey, alpha)), "PNG"),
        "png of 1 bit": encode(grey.convert("1"), "PNG"),
        "palette png": encode(image.quantize(64), "PNG"),
        "palette png with a transparent colour": encode(
            image.quantize(64), "PNG", transparency=bytes([255] * 63 + [128])
        ),
        "png with alpha": encode(layered, "PNG"),
        "webp with alpha": encode(layered, "WEBP", quality=95),
        "lossless webp": encode(image, "WEBP", lossless=True),
        "grey png of 16 bits": encode(Image.fromarray(np.asarray(grey).astype("u2") * 257), "PNG"),
        "png of 48 bits": png16(wide, 2),
        "png of 64 bits": png16(np.dstack([wide, np.full_like(wide[..., :1], 65535)]), 6),
        "cmyk jpeg": encode(image.convert("CMYK"), "JPEG", quality=95),
        "progressive jpeg": encode(image, "JPEG", quality=95, progressive=True),
        "jpeg with a video behind it": jpeg + b"\xff\xda\0\0" * 500 + bytes(5000),
        "jpeg with broken exif": encode(image, "JPEG", quality=95, exif=exif(3)[:-9]),
        "jpeg of two pictures": encode(image, "MPO", save_all=True, append_images=frames),
        "png with orientation 6": encode(on_side, "PNG", exif=exif(6)),
        "webp with orientation 6": encode(on_side, "WEBP", quality=95, exif=exif(6)),
        "avif with orientation 6": encode(on_side, "AVIF", quality=90, speed=10, exif=exif(6)),
        "heic with orientation 6": heic(on_side, quality=90, exif=exif(6)),
        "animated png": encode(image, "PNG", save_all=True, append_images=frames),
        "animated webp": encode(image, "WEBP", save_all=True, append_images=frames, lossless=True),
        "animated avif": encode(
            image, "AVIF", save_all=True, append_images=frames, quality=90, speed=10
        ),
        "avif": encode(image, "AVIF", quality=90, speed=10),
        "heic": heic(image, quality=90),
    }
