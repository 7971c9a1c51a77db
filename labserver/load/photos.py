"""The photographs that the virtual users upload, made once before the load starts."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageOps, UnidentifiedImageError

from labserver.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

SHIPPED = Path(__file__).parent / "photos"
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
MAX_SOURCES = 16  # a folder of thousands must not cost minutes and gigabytes before the first request
MAX_SIDE = 1024  # pixels: what a front end sends after scaling a phone's picture down
ORIENTATION_TAG = 0x0112
# How a phone held sideways stores an upright picture, and the EXIF orientation with which a viewer turns it back.
SIDEWAYS = ((Image.Transpose.ROTATE_90, 6), (Image.Transpose.ROTATE_270, 8))


class Pair(NamedTuple):
    """The two pictures of one upload, as JPEG bytes."""

    parent_a: bytes
    parent_b: bytes


class PhotoPool:
    """Pairs of photographs, varied by a seed: the same seed and folder give the same bytes.

    Args:
        seed: what the variation is drawn from.
        folder: a folder with the user's own pictures; without it, the two that are shipped.
        variants: how many different pairs to make; the last two hold pictures stored sideways, as phones do.

    Raises:
        UsageError: the folder has no readable picture, or `variants` is less than 1.
    """

    def __init__(self, seed: int, folder: Path | None = None, variants: int = 8) -> None:
        if variants < 1:
            raise UsageError(f"A photo pool needs at least 1 variant, not {variants}.")
        sources = list(_sources(folder or SHIPPED))
        if not sources:
            raise UsageError(f"The folder {folder} has no readable picture: put at least one JPEG, PNG or WebP there.")
        rng = np.random.default_rng(seed % 2**64)
        self.pairs = tuple(_pair(sources, index, variants, rng) for index in range(variants))

    def pair(self, turn: int) -> Pair:
        """The pair for the given turn; the turns go round."""
        return self.pairs[turn % len(self.pairs)]


def _sources(folder: Path) -> "Iterator[Image.Image]":
    """The folder's readable pictures in the order of their names, upright and of a bounded size."""
    if not folder.is_dir():
        return
    found = 0
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or found == MAX_SOURCES:
            continue
        picture = _read(path)
        if picture is not None:
            found += 1
            yield picture


def _read(path: Path) -> Image.Image | None:
    """The picture in a file, or None where there is none to read."""
    try:
        with Image.open(path) as stored:
            upright = ImageOps.exif_transpose(stored).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return None
    upright.thumbnail((MAX_SIDE, MAX_SIDE))
    return upright


def _pair(sources: list[Image.Image], index: int, variants: int, rng: np.random.Generator) -> Pair:
    """One pair; the two parents are different pictures where there are two."""
    turns_left = variants - 1 - index
    sideways = SIDEWAYS[turns_left] if turns_left < len(SIDEWAYS) else None
    parent_a = _vary(sources[index % len(sources)], rng)
    parent_b = _vary(sources[(index + 1) % len(sources)], rng)
    return Pair(_jpeg(parent_a, sideways), _jpeg(parent_b, None))


def _vary(source: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The same scene as another snapshot would show it: a little turned, cropped, mirrored, lighter or darker."""
    picture = source.rotate(float(rng.uniform(-4, 4)), resample=Image.Resampling.BILINEAR)
    # The crop is at least 5 % a side, which is what the turn left black in the corners.
    left, top, right, bottom = rng.uniform(0.05, 0.12, size=4)
    width, height = picture.size
    box = (int(width * left), int(height * top), int(width * (1 - right)), int(height * (1 - bottom)))
    picture = picture.crop(box)
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    return ImageEnhance.Brightness(picture).enhance(float(rng.uniform(0.8, 1.2)))


def _jpeg(picture: Image.Image, sideways: tuple[Image.Transpose, int] | None) -> bytes:
    exif = Image.Exif()
    if sideways is not None:
        turn, orientation = sideways
        picture = picture.transpose(turn)
        exif[ORIENTATION_TAG] = orientation
    stored = BytesIO()
    picture.save(stored, format="JPEG", quality=88, exif=exif)
    return stored.getvalue()
