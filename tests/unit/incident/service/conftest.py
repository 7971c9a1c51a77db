"""Photographs, a clock that stands still, and waiting with a deadline."""

import gc
import io
import shutil
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

import labserver
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import STORES, create_store

PHOTOS = Path(labserver.__file__).parent / "load" / "photos"

NO_REDIS = pytest.mark.skipif(shutil.which("redis-server") is None, reason="the program redis-server is missing")


def _store_name(name):
    return pytest.param(name, marks=NO_REDIS) if name == "redis" else name


class StandingClock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return StandingClock()


@pytest.fixture
def astronaut():
    return (PHOTOS / "astronaut.jpg").read_bytes()


@pytest.fixture
def photographer():
    return (PHOTOS / "photographer.jpg").read_bytes()


@pytest.fixture
def encoded():
    def encode(image, image_format="PNG", **options):
        out = io.BytesIO()
        image.save(out, image_format, **options)
        return out.getvalue()

    return encode


@pytest.fixture
def png_of_size(encoded):
    def make(width, height):
        return encoded(Image.new("L", (width, height)))

    return make


@pytest.fixture
def wait_until():
    def wait(condition, within_s=60.0):
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "it did not come about in time"
            time.sleep(0.002)

    return wait


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(params=[_store_name(name) for name in sorted(STORES)])
def store_name(request):
    return request.param


@pytest.fixture
def open_store(clock):
    """Make started stores by name, and see that nothing of them is left afterwards."""
    stores = []

    def make(name, **settings):
        store = create_store(Settings(store=name, **settings), clock)
        store.start()
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()
    left = {t.name for t in threading.enumerate() if t.name.startswith("labserver-")}
    assert not left - {"labserver-agent"}  # other tests' instruments listen as long as the process lives
