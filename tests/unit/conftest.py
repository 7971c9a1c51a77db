import sys
import types

import pytest


@pytest.fixture
def shop():
    """A module with state, as an application has it; gone from `sys.modules` afterwards."""
    module = types.ModuleType("shop")
    sys.modules["shop"] = module
    yield module
    del sys.modules["shop"]
