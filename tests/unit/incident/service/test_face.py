import io
import random
import struct
import time
import zlib

import pytest
from PIL import Image, ImageChops, ImageStat

from labserver.incident.service.face import BadPhoto, check_photo, compose, largest_png_bytes

LIMIT = 40_000_000


def composed(a, b, size_px=384):
    data = compose(a, b, size_px=size_px, max_pixels=LIMIT)
    image = Image.open(io.BytesIO(data))
    image.load()
    return data, image


def test_two_photographs_give_a_square_png_of_some_hundred_kilobytes(astronaut, photographer):
    data, image = composed(astronaut, photographer)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (384, 384))
    assert 100_000 < len(data) < 500_000


def test_the_same_photographs_give_the_same_bytes_without_metadata(astronaut, photographer):
    data, image = composed(astronaut, photographer)
    assert data == composed(astronaut, photographer)[0]
    assert image.info == {}


def test_the_face_is_of_both_and_the_surroundings_of_the_first(astronaut, photographer):
    alone, mixed = composed(astronaut, astronaut)[1], composed(astronaut, photographer)[1]
    difference = ImageStat.Stat(ImageChops.difference(alone, mixed).crop((150, 60, 234, 200))).mean
    assert min(difference) > 5
    assert ImageChops.difference(alone, mixed).crop((0, 0, 384, 3)).getbbox() is None


def test_the_order_of_the_parents_matters(astronaut, photographer):
    assert composed(astronaut, photographer)[0] != composed(photographer, astronaut)[0]


def test_the_cameras_orientation_is_honoured(encoded):
    sideways = Image.new("RGB", (64, 64), "black")
    sideways.paste("white", (0, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    photo = encoded(sideways, "JPEG", exif=exif)
    _, image = composed(photo, photo, 64)
    assert image.getpixel((2, 2))[0] < 40
    assert image.getpixel((2, 61))[0] > 215


def test_transparent_parts_are_white_whatever_hides_below(encoded):
    photo = encoded(Image.new("RGBA", (32, 32), (255, 0, 0, 0)))
    assert composed(photo, photo, 32)[1].getpixel((16, 16)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "YCbCr"])
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_every_kind_of_photograph_that_is_accepted_can_be_composed(encoded, mode, image_format):
    image = Image.new(mode, (90, 70))
    try:
        photo = encoded(image, image_format)
    except OSError:
        return  # the format does not know this mode
    check_photo(photo, LIMIT)
    assert composed(photo, photo, 48)[1].size == (48, 48)


@pytest.mark.parametrize("data", [b"", b"hello", b"GIF89a", b"%PDF-1.7", b"\xff\xd8", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_photograph_is_said_to_be_none(data):
    with pytest.raises(BadPhoto, match="not a JPEG, PNG or WebP"):
        check_photo(data, LIMIT)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_photograph_is_noticed(encoded, astronaut, image_format, kept):
    with Image.open(io.BytesIO(astronaut)) as image:
        photo = encoded(image, image_format)
    with pytest.raises(BadPhoto, match=r"truncated or damaged|not a"):
        check_photo(photo[: int(len(photo) * kept)], LIMIT)


def test_a_damaged_photograph_is_noticed(encoded, astronaut):
    with Image.open(io.BytesIO(astronaut)) as image:
        photo = bytearray(encoded(image))
    photo[len(photo) // 2] ^= 0xFF
    with pytest.raises(BadPhoto, match="damaged"):
        check_photo(bytes(photo), LIMIT)


def bomb(width, height):
    """Return a small PNG whose header promises `width` x `height` pixels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7_000, 10_000, 60_000])
def test_a_decompression_bomb_is_refused_by_its_header(side):
    # The three sides lie below, above, and far above the thresholds at which Pillow warns and raises by itself.
    began = time.thread_time()
    with pytest.raises(BadPhoto, match=f"more than the {LIMIT}"):
        check_photo(bomb(side, side), LIMIT)
    assert time.thread_time() - began < 0.5


def test_the_limit_itself_is_allowed(png_of_size):
    check_photo(png_of_size(100, 100), 10_000)
    with pytest.raises(BadPhoto, match="100 x 100 pixels"):
        check_photo(png_of_size(100, 100), 9_999)


def test_pillows_own_limit_is_left_alone(astronaut, photographer):
    before = Image.MAX_IMAGE_PIXELS
    composed(astronaut, photographer)
    assert before == Image.MAX_IMAGE_PIXELS


def with_segment(jpeg, payload):
    """The JPEG with an application segment, where cameras put their preview."""
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def test_a_whole_preview_does_not_hide_that_the_photograph_is_cut_off(astronaut):
    preview = io.BytesIO()
    Image.open(io.BytesIO(astronaut)).resize((32, 32)).save(preview, "JPEG")
    photo = with_segment(astronaut, preview.getvalue())
    check_photo(photo, LIMIT)
    with pytest.raises(BadPhoto, match="truncated"):
        check_photo(photo[:-2000], LIMIT)


def test_what_a_phone_appends_to_a_photograph_is_no_damage(astronaut):
    check_photo(astronaut + b"ftypmp42\xff\xda" + bytes(1000), LIMIT)


@pytest.mark.parametrize("size_px", [16, 384, 1000])
def test_no_result_is_larger_than_the_largest(encoded, size_px):
    noise = encoded(Image.frombytes("RGB", (size_px, size_px), random.Random(1).randbytes(3 * size_px**2)))
    face = compose(noise, noise, size_px=size_px, max_pixels=10**7)
    assert len(face) <= largest_png_bytes(size_px)
    assert len(encoded(Image.open(io.BytesIO(noise)), compress_level=0)) <= largest_png_bytes(size_px)


def test_a_lack_of_memory_is_not_blamed_on_the_photograph(astronaut, monkeypatch):
    def no_memory(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr(Image, "open", no_memory)
    with pytest.raises(MemoryError):
        check_photo(astronaut, LIMIT)
