import io
import random

import numpy as np
import pytest
from PIL import Image, ImageOps

from labserver.errors import UsageError
from labserver.load.image_journey import encode_upload
from labserver.load.photos import MAX_SIDE, ORIENTATION_TAG, PhotoPool


def opened(data):
    return Image.open(io.BytesIO(data))


def orientation(data):
    return opened(data).getexif().get(ORIENTATION_TAG, 1)


def test_the_same_seed_gives_the_same_bytes():
    assert PhotoPool(7).pairs == PhotoPool(7).pairs
    assert PhotoPool(7).pairs != PhotoPool(8).pairs


def test_the_variants_differ_and_go_round():
    pool = PhotoPool(0, variants=4)
    assert len({pair.parent_a for pair in pool.pairs}) == 4
    assert all(pair.parent_a != pair.parent_b for pair in pool.pairs)
    assert pool.pair(5) == pool.pairs[1]


def test_two_variants_are_stored_sideways_as_phones_do():
    assert sorted(orientation(pair.parent_a) for pair in PhotoPool(0).pairs) == [1] * 6 + [6, 8]


@pytest.mark.parametrize("variants", [1, 2])
def test_a_sideways_picture_is_upright_again_for_who_heeds_the_tag(tmp_path, variants):
    # Bright above, dark below.
    source = Image.fromarray(np.repeat(np.linspace(255, 0, 200), 300).reshape(200, 300).astype("uint8"))
    source.save(tmp_path / "gradient.png")
    stored = opened(PhotoPool(0, tmp_path, variants=variants).pairs[0].parent_a)
    upright = np.asarray(ImageOps.exif_transpose(stored).convert("L"), dtype=float)
    assert stored.height > stored.width
    assert upright.shape[1] > upright.shape[0]
    assert upright[:20].mean() > 2 * upright[-20:].mean()


def test_a_users_folder_is_used_and_bounded(tmp_path):
    noise = random.Random(0).randbytes(3000 * 1500 * 3)
    Image.frombytes("RGB", (3000, 1500), noise).save(tmp_path / "big.PNG")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not a picture")
    pair = PhotoPool(0, tmp_path, variants=3).pairs[0]
    assert max(opened(pair.parent_a).size) <= MAX_SIDE
    assert opened(pair.parent_b).format == "JPEG"


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_a_folder_without_pictures_is_a_usage_error(tmp_path, content):
    if content is not None:
        (tmp_path / "broken.jpg").write_bytes(content)
    with pytest.raises(UsageError, match="no readable picture"):
        PhotoPool(0, tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="no readable picture"):
        PhotoPool(0, tmp_path / "missing")


def test_an_upload_holds_both_pictures():
    pair = PhotoPool(0, variants=1).pairs[0]
    upload = encode_upload(pair)
    assert upload.content_type.startswith("multipart/form-data; boundary=")
    assert pair.parent_a in upload.body
    assert pair.parent_b in upload.body
    assert b'name="parentA"' in upload.body
    assert b'name="parentB"' in upload.body
