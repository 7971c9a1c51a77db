"""Which extension modules an application's functions lead to."""

import ctypes  # noqa: F401 - what the planted modules import is loaded
import sqlite3  # noqa: F401
import sys
import textwrap
import types
import uuid  # noqa: F401

import pytest

from labserver.diagnosis.holders.extensions import called_extensions
from labserver.heap import origin

DIRECT = """
    import sqlite3
    def work():
        return sqlite3.connect(":memory:")
"""
FROM = """
    from math import sqrt
    def work():
        return sqrt(4)
"""
THROUGH_A_LIBRARY = """
    import ctypes
    def work():
        return ctypes.CDLL(None)
"""
BY_AN_INSTANCE = """
    import ctypes
    LIBC = ctypes.CDLL(None)
    def work():
        return LIBC.malloc(8)
"""
IN_A_METHOD = """
    import zlib
    class Service:
        def work(self):
            return self._pack(b"")
        def _pack(self, data):
            return zlib.compress(data)
"""
IN_THE_FUNCTION = """
    def work():
        from numpy.linalg import _umath_linalg
        return _umath_linalg
"""
IN_A_CLOSURE = """
    import _struct
    def work():
        def inner():
            return _struct.calcsize("q")
        return inner
"""
OF_A_STATIC_METHOD = """
    import _json
    class Service:
        @staticmethod
        def work():
            return _json.make_encoder
"""


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """Makes a module of the application of some code, and gives the extensions that it leads to, by name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(origin, "_roots", lambda: (tmp_path,))  # whatever else is loaded is not the application's then

    def planted(code, name="planted_shop"):
        file = tmp_path / f"{name}.py"
        file.write_text(textwrap.dedent(code))
        module = types.ModuleType(name)
        module.__file__ = str(file)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(file.read_text(), str(file), "exec"), vars(module))
        return {one.name: one for one in called_extensions()}

    return planted


@pytest.mark.parametrize(
    ("code", "name", "by", "through"),
    [
        (DIRECT, "_sqlite3", "work", 0),
        (FROM, "math", "work", 0),
        (THROUGH_A_LIBRARY, "_ctypes", "work", 1),
        (BY_AN_INSTANCE, "_ctypes", "work", 1),
        (IN_A_METHOD, "zlib", "Service._pack", 0),
        (IN_THE_FUNCTION, "numpy.linalg._umath_linalg", "work", 0),
        (IN_A_CLOSURE, "_struct", "work", 0),
        (OF_A_STATIC_METHOD, "_json", "Service.work", 0),
    ],
    ids=["direct", "from", "library", "instance", "method", "import", "closure", "static"],
)
def test_an_extension_is_found_with_the_function_that_leads_to_it(plant, code, name, by, through):
    found = plant(code)[name]
    assert found.called_by.startswith(f"{by} (planted_shop.py:")
    assert found.through == through


def test_the_nearest_come_first_and_libraries_before_the_standard_library(plant):
    found = plant(
        """
        import json, zlib
        from numpy.linalg import _umath_linalg
        def far():
            return json.loads("1")
        def near():
            return zlib.crc32(b"") or _umath_linalg
        """
    )
    names = list(found)
    assert names[:2] == ["numpy.linalg._umath_linalg", "zlib"]
    assert names.index("_json") > 1
    assert [one.through for one in found.values()] == sorted(one.through for one in found.values())


@pytest.mark.parametrize(
    "code",
    [
        "def work():\n    return sorted([2, 1])",
        "import sqlite3, zlib",  # imported, and never called
        "def work(sqlite3):\n    return sqlite3.connect()",  # a parameter's name
        "",
    ],
    ids=["builtins", "unused", "parameter", "nothing"],
)
def test_what_is_not_called_is_not_named(plant, code):
    assert plant(code) == {}


def test_nothing_of_the_application_runs(plant):
    heard = plant(
        """
        import zlib
        class Meta(type):
            def __eq__(cls, other):
                raise AssertionError
            __hash__ = __getattr__ = __eq__
        class Proxy(metaclass=Meta):
            def __init__(self):
                pass
            def __getattribute__(self, name):
                raise AssertionError(name)
            def __eq__(self, other):
                raise AssertionError
            __hash__ = __call__ = __eq__
        PROXY = Proxy()
        def work():
            return PROXY.anything, PROXY == 1, zlib.crc32(b"")
        def __getattr__(name):
            raise AssertionError(name)
        """
    )
    assert "zlib" in heard


def test_a_type_of_an_extension_leads_to_it(plant):
    found = plant(
        """
        from numpy import zeros
        ROWS = zeros(3)
        def work():
            return ROWS.sum()
        """
    )
    assert next(iter(found)).startswith("numpy.")
