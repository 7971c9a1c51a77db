"""No circle of files: what a file imports never leads back to it."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import labserver

ROOT = Path(labserver.__file__).parent


def modules_of(root):
    """Each module below a package's folder by its name, with its file."""
    found = {}
    for file in root.rglob("*.py"):
        parts = file.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports_of(name, modules):
    """The modules that one names in its imports, wherever they stand: in functions, and for types alone, too."""
    package = name if modules[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(modules[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(part for part in (above, node.module) if part)
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                yield whole if whole in modules else source


def circle_in(root):
    """The modules of a circle, the first one again at the end; None without one."""
    modules = modules_of(root)
    graph = {name: {found for found in imports_of(name, modules) if found in modules} for name in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def test_no_circle_of_files():
    assert len(modules_of(ROOT)) > 200
    assert circle_in(ROOT) is None


@pytest.mark.parametrize(
    "back",
    [
        "from shop.jobs import Job",
        "from .jobs import Job",
        "from shop import jobs",
        "import shop.jobs",
        "def late():\n    from shop.jobs import Job",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.jobs import Job",
    ],
)
def test_a_circle_is_found_wherever_its_imports_stand(tmp_path, back):
    shop = tmp_path / "shop"
    (shop / "stores").mkdir(parents=True)
    (shop / "__init__.py").write_text("")
    (shop / "jobs.py").write_text("from shop.stores import create_store")
    (shop / "stores" / "__init__.py").write_text("from shop.settings import Settings")
    (shop / "settings.py").write_text("import importlib\nimportlib.import_module('shop.jobs')")
    assert circle_in(shop) is None
    (shop / "settings.py").write_text(back)
    assert set(circle_in(shop)) == {"shop.jobs", "shop.stores", "shop.settings"}
