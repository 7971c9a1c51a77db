"""The work of a job: two photographs in, one composed face out, as PNG."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile, ImageOps, ImageStat, UnidentifiedImageError

# Photographs as browsers and phones send them. Naming them keeps Pillow from handing an upload
# to one of its rarer parsers, some of which start other programs.
_FORMATS = ("JPEG", "PNG", "WEBP")
# Faces sit a little above the middle of a portrait.
_CENTRING = (0.5, 0.4)
# `Image.radial_gradient` counts 0 at the middle to 255 near the corner; the face fills the inner part
# and fades out over a band, so that no seam shows.
_FACE_INNER, _FACE_OUTER = 70, 150
_SHARE_OF_B = 0.5
# Level 6 saves 4 % of the bytes for twice the time.
_PNG_COMPRESS_LEVEL = 3


class ComposeError(Exception):
    """No face could be made; the text is meant for the client."""


class Closing(ComposeError):  # noqa: N818 - says what the client is told
    """The service ends, and what it waited for with it."""

    def __init__(self) -> None:
        super().__init__("The service is closing.")


class BadPhoto(ComposeError):  # noqa: N818 - names the thing that is wrong
    """A photograph cannot be used; the text says why, without naming the file."""


def check_photo(data: bytes, max_pixels: int) -> None:
    """Make sure that `compose` will be able to use a photograph.

    Args:
        data: The uploaded file.
        max_pixels: Largest width times height; judged by the header, before anything is decoded.

    Raises:
        BadPhoto: It is no image of a supported format, too large, truncated or otherwise damaged.
    """
    with _opened(data, max_pixels) as image:
        if not _is_whole(image, data):
            raise BadPhoto("The image is truncated or damaged.")


def is_png(data: bytes, max_pixels: int) -> bool:
    """Return whether the bytes are a whole PNG image of at most so many pixels, judged without decoding it."""
    try:
        with _opened(data, max_pixels) as image:
            return image.format == "PNG" and _is_whole(image, data)
    except BadPhoto:
        return False


def compose(parent_a: bytes, parent_b: bytes, *, size_px: int, max_pixels: int) -> bytes:
    """Blend the face of the second photograph into the first.

    Args:
        parent_a: A photograph as uploaded; its surroundings are kept.
        parent_b: Another; its tones are matched to the first one's.
        size_px: Side of the square result.
        max_pixels: Largest width times height of either photograph.

    Returns:
        A PNG file without metadata; the same photographs give the same bytes.

    Raises:
        BadPhoto: One of the photographs cannot be used.
    """
    base = _square(parent_a, size_px, max_pixels)
    other = _match_tones(_square(parent_b, size_px, max_pixels), base)
    blended = Image.blend(base, other, _SHARE_OF_B)
    face = Image.composite(blended, base, _face_mask(size_px))
    out = io.BytesIO()
    face.save(out, "PNG", compress_level=_PNG_COMPRESS_LEVEL)
    return out.getvalue()


def largest_png_bytes(size_px: int) -> int:
    """Return a size that no result of `size_px` exceeds: three bytes a pixel and one a row, and what zlib and PNG add.

    Incompressible data grows under deflate by what zlib's `deflateBound` says at most, n/8 + n/64 and a little.
    """
    raw = size_px * (3 * size_px + 1)
    return raw + raw // 8 + raw // 64 + 1024


@contextmanager
def _opened(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """Open an image lazily and turn whatever its parser trips over into `BadPhoto`."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_size(image, max_pixels)
            yield image
    except (BadPhoto, MemoryError):
        raise  # that the process has no memory left says nothing about the photograph
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadPhoto(f"The image has more than the {max_pixels} pixels allowed.") from None
    except UnidentifiedImageError:
        raise BadPhoto("The file is not a JPEG, PNG or WebP image.") from None
    except Exception:  # noqa: BLE001 - decoders raise what their parsing trips over: struct.error, IndexError, …
        raise BadPhoto("The image is truncated or damaged.") from None


def _check_size(image: Image.Image, max_pixels: int) -> None:
    """Judge by the header: nothing is decoded yet."""
    if image.width * image.height > max_pixels:
        raise BadPhoto(f"The image has {image.width} x {image.height} pixels, more than the {max_pixels} allowed.")


def _is_whole(image: Image.Image, data: bytes) -> bool:
    """Whether the file goes on to its end, found without decoding where the format allows it.

    Decoding a phone's photograph takes tens of milliseconds, in the request of a service whose point is not to make
    the client wait.
    """
    if image.format == "JPEG" and isinstance(image, ImageFile.ImageFile) and image.fp is not None:
        # Opening read up to the first scan; in scans 0xFF stands only before a marker, and the last one is EOI
        # (ITU-T T.81, B.1.1.2 and B.1.1.5).
        return data.find(b"\xff\xd9", image.fp.tell()) >= 0
    if image.format == "PNG":
        image.verify()  # reads all chunks and their checksums
    else:
        image.load()
    return True


def _square(data: bytes, size_px: int, max_pixels: int) -> Image.Image:
    """Return the photograph upright, cropped and scaled to a square in RGB, without its metadata."""
    with _opened(data, max_pixels) as image:
        image.draft("RGB", (size_px, size_px))
        upright = ImageOps.exif_transpose(image)
        # Transparent parts become white instead of whatever colour hides below them.
        opaque = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
        fitted = ImageOps.fit(opaque, (size_px, size_px), centering=_CENTRING)
        canvas = Image.new("RGB", fitted.size, "white")
        canvas.paste(fitted, mask=fitted if fitted.mode == "RGBA" else None)
        return canvas


def _match_tones(image: Image.Image, target: Image.Image) -> Image.Image:
    """Give each channel of `image` the mean and spread of `target`'s (Reinhard et al. 2001, on RGB)."""
    have, want = ImageStat.Stat(image), ImageStat.Stat(target)
    table: list[int] = []
    for mean, spread, wanted_mean, wanted_spread in zip(have.mean, have.stddev, want.mean, want.stddev, strict=True):
        gain = wanted_spread / max(spread, 1.0)  # a channel of one tone has no spread to stretch
        table += [round(min(255.0, max(0.0, (tone - mean) * gain + wanted_mean))) for tone in range(256)]
    return image.point(table)


def _face_mask(size_px: int) -> Image.Image:
    """Return an upright ellipse that fades out smoothly, 255 inside to 0 outside."""
    distance = Image.radial_gradient("L").resize((size_px * 3 // 4, size_px))
    ramp = [min(1.0, max(0.0, (_FACE_OUTER - d) / (_FACE_OUTER - _FACE_INNER))) for d in range(256)]
    ellipse = distance.point([round(255 * t * t * (3 - 2 * t)) for t in ramp])  # smoothstep
    mask = Image.new("L", (size_px, size_px))
    mask.paste(ellipse, ((size_px - ellipse.width) // 2, 0))
    return mask
