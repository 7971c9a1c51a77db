"""What is read of a file is what runs; of anything else nothing is believed."""

import ast
import linecache
import os
import types
from pathlib import Path

import pytest

from labserver.diagnosis.holders.sources import LIMITS, Sources

CODE = """
import functools
def put(key):
    return len(CACHE) > 1000
class Store:
    __slots__ = ()
    @functools.lru_cache
    def get(self):
        return [key for key in self if (lambda: key)()]
def many():
    return sorted([], key=lambda x: x), sorted([], key=lambda y: -y)
"""


@pytest.fixture
def shop(tmp_path):
    """Makes the module of a file."""

    def module(code=CODE, *, encoding="utf-8"):
        file = tmp_path / "shop.py"
        file.write_text(code, encoding=encoding)
        found = types.ModuleType("shop")
        exec(compile(file.read_bytes(), str(file), "exec"), vars(found))
        return found, file

    return module


def test_a_function_is_found_by_its_code(shop):
    module, _ = shop()
    sources = Sources()
    assert sources.definition(module.put.__code__).node.name == "put"
    got = sources.definition(module.Store.get.__wrapped__.__code__)
    assert (got.node.name, got.within) == ("get", "Store")
    assert (got.mangled("__key"), got.mangled("__key__"), got.mangled("key")) == ("_Store__key", "__key__", "key")


def test_of_two_lambdas_on_one_line_nobody_knows_which_is_which(shop):
    module, _ = shop()
    sources = Sources()
    inside = [code for code in module.many.__code__.co_consts if isinstance(code, types.CodeType)]
    assert [sources.definition(code) for code in inside] == [None, None]
    assert sources.definition(module.many.__code__) is not None


@pytest.mark.parametrize("edit", [("1000", "2000"), ("CACHE", "OTHER"), ("def put", "\n\ndef put"), (">", "")])
def test_a_file_that_was_edited_since_is_not_believed(shop, edit):
    module, file = shop()
    file.write_text(CODE.replace(*edit), encoding="utf-8")
    assert Sources().definition(module.put.__code__) is None


def test_the_functions_that_an_edit_left_alone_are(shop):
    module, file = shop()
    file.write_text(CODE.replace("-y", "+y"), encoding="utf-8")
    assert Sources().definition(module.put.__code__) is not None


def test_constants_that_a_tool_put_into_the_code_are_not_asked(shop):
    module, _ = shop()

    class Sly:
        def __eq__(self, _):
            raise AssertionError("code of the application must not run")

        __hash__ = object.__hash__

    code = module.put.__code__
    assert Sources().definition(code.replace(co_consts=(*code.co_consts, Sly()))) is not None


def test_a_file_is_read_in_its_own_encoding(shop):
    module, _ = shop("# coding: latin-1\nCAFÉ = {}\ndef put(key):\n    CAFÉ[key] = 'é'\n", encoding="latin-1")
    assert Sources().definition(module.put.__code__) is not None


def test_a_pipe_is_not_waited_for(shop):
    module, file = shop()
    file.unlink()
    os.mkfifo(file)
    assert Sources().definition(module.put.__code__) is None


def test_a_file_that_is_too_long_is_left_alone(shop):
    module, _ = shop(CODE + "#" * LIMITS.file_bytes)
    assert Sources().definition(module.put.__code__) is None


def test_what_is_read_in_one_look_has_an_end(shop, monkeypatch):
    sources, parsed, parse = Sources(), [], ast.parse
    monkeypatch.setattr(ast, "parse", lambda text: parsed.append(len(text)) or parse(text))
    module, file = shop(CODE + "#" * (LIMITS.file_bytes - 1000))
    for number in range(10):
        copy = file.with_name(f"{number}.py")
        copy.write_bytes(file.read_bytes())
        sources.definition(module.put.__code__.replace(co_filename=str(copy)))
    assert LIMITS.all_bytes / 2 < sum(parsed) <= LIMITS.all_bytes


def test_a_notebooks_cell_is_read_from_where_ipython_keeps_it(shop, monkeypatch):
    module, file = shop()
    name = "/tmp/ipykernel_1/23.py"
    monkeypatch.setitem(linecache.cache, name, (len(CODE), None, CODE.splitlines(keepends=True), name))
    assert Sources().definition(module.put.__code__.replace(co_filename=name)) is not None
    file.unlink()
    Sources().definition(module.put.__code__)
    assert str(file) not in linecache.cache


@pytest.mark.parametrize("name", ["<string>", "", "nothing/there.py", "/", str(Path(__file__).parent), "a\0b"])
def test_code_without_a_file_has_no_source(shop, name):
    module, _ = shop()
    assert Sources().definition(module.put.__code__.replace(co_filename=name)) is None
