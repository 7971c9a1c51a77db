import runpy
from pathlib import Path

import pytest

STAND_IN = runpy.run_path(str(Path(__file__).with_name("stand_in.py")))


@pytest.fixture
def stand_in():
    with STAND_IN["serving"]() as serving:
        yield serving


@pytest.fixture
def refused_url():
    with STAND_IN["nobody"]() as url:
        yield url


@pytest.fixture
def png():
    return STAND_IN["png"]
