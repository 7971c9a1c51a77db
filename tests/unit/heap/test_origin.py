import json
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

import labserver
from labserver.heap import origin
from labserver.heap.origin import Origin, declare_application, origin_of

PACKAGE = Path(labserver.__file__).parent


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project with its virtual environment inside, and nothing known of the application."""
    project = tmp_path / "project"
    (project / ".venv" / "lib" / "site-packages").mkdir(parents=True)
    monkeypatch.chdir(project)
    monkeypatch.setattr(origin, "_declared", [])
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    return project


def module_at(monkeypatch, name, file):
    module = ModuleType(name)
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("file", ["shop.py", "src/shop/app.py", "tests/test_shop.py", "gone/never_there.py"])
def test_what_lies_below_the_working_directory_is_the_applications(project, file):
    assert origin_of(str(project / file)) is Origin.APPLICATION
    assert origin_of(file) is Origin.APPLICATION


@pytest.mark.parametrize("file", [".venv/lib/site-packages/flask/app.py", "usr/lib/python3/dist-packages/yaml.py"])
def test_what_is_installed_is_a_librarys_also_below_the_working_directory(project, file):
    assert origin_of(str(project / file)) is Origin.LIBRARY


def test_what_lies_elsewhere_is_a_librarys(tmp_path):
    assert origin_of(str(tmp_path / "checkouts" / "library" / "core.py")) is Origin.LIBRARY


def test_the_standard_library_is_told_from_what_is_installed_into_it(project, monkeypatch):
    assert origin_of(json.__file__) is Origin.STANDARD
    assert origin_of("<frozen importlib._bootstrap>") is Origin.STANDARD
    inside = Path(sysconfig.get_path("stdlib")) / "site-packages" / "flask" / "app.py"
    assert origin_of(str(inside)) is Origin.LIBRARY
    monkeypatch.chdir("/")  # where containers start
    assert origin_of(json.__file__) is Origin.STANDARD
    assert origin_of(str(project / "shop.py")) is Origin.APPLICATION


def test_this_package_is_the_tools_also_where_it_is_worked_on(project, monkeypatch):
    module_at(monkeypatch, "labserver.incident.service", PACKAGE / "incident" / "service" / "__init__.py")
    monkeypatch.chdir(PACKAGE.parent)
    assert origin_of(str(PACKAGE / "heap" / "agent.py")) is Origin.TOOL
    service = str(PACKAGE / "incident" / "service" / "jobs.py")
    assert origin_of(service) is Origin.APPLICATION
    monkeypatch.chdir(project)
    assert origin_of(service) is Origin.LIBRARY
    declare_application("labserver.incident.service")
    assert origin_of(service) is Origin.APPLICATION
    assert origin_of(str(PACKAGE / "heap" / "agent.py")) is Origin.TOOL


@pytest.mark.parametrize(
    "name", ["/tmp/ipykernel_4711/123.py", "<ipython-input-3-0123abcd>", "<stdin>", "<python-input-0>"]
)
def test_what_was_typed_is_the_applications(name):
    assert origin_of(name) is Origin.APPLICATION


@pytest.mark.parametrize("name", ["<string>", "<attrs generated init shop.Order>", "<template>", "<unknown>"])
def test_code_without_a_file_is_nobodys_to_change(name):
    assert origin_of(name) is Origin.LIBRARY


def test_a_target_that_is_installed_is_the_application_and_its_neighbours_are_not(tmp_path, monkeypatch):
    installed = tmp_path / "opt" / "site-packages"
    for name, file in (("shop", "shop/__init__.py"), ("shop.web.app", "shop/web/app.py"), ("till", "till.py")):
        module_at(monkeypatch, name, installed / file)
    for file in ("shop/models.py", "till.py", "flask/app.py"):
        assert origin_of(str(installed / file)) is Origin.LIBRARY
    declare_application("shop.web.app")
    declare_application("till")
    declare_application("of_no_file_at_all")
    assert origin_of(str(installed / "shop" / "models.py")) is Origin.APPLICATION
    assert origin_of(str(installed / "till.py")) is Origin.APPLICATION
    assert origin_of(str(installed / "flask" / "app.py")) is Origin.LIBRARY


def test_the_main_scripts_directory_is_the_applications_unless_it_is_a_librarys(tmp_path, monkeypatch):
    module_at(monkeypatch, "__main__", tmp_path / "srv" / "serve.py")
    assert origin_of(str(tmp_path / "srv" / "shop" / "app.py")) is Origin.APPLICATION
    installed = tmp_path / "opt" / "site-packages" / "uvicorn"
    module_at(monkeypatch, "__main__", installed / "__main__.py")
    assert origin_of(str(installed / "server.py")) is Origin.LIBRARY
    module_at(monkeypatch, "__main__", Path(json.__file__).parent / "tool.py")
    assert origin_of(json.__file__) is Origin.STANDARD


def test_links_are_followed(project, tmp_path):
    """An editable package is the application's; one that is linked from a cache of packages is a library's."""
    installed = project / ".venv" / "lib" / "site-packages"
    (project / "src" / "shop").mkdir(parents=True)
    (tmp_path / "cache" / "flask").mkdir(parents=True)
    (installed / "shop").symlink_to(project / "src" / "shop")
    (installed / "flask").symlink_to(tmp_path / "cache" / "flask")
    assert origin_of(str(installed / "shop" / "app.py")) is Origin.APPLICATION
    assert origin_of(str(installed / "flask" / "app.py")) is Origin.LIBRARY


def test_files_are_told_although_the_working_directory_is_gone(tmp_path, monkeypatch):
    """A deployment may remove what a service was started from."""
    gone = tmp_path / "release-1"
    gone.mkdir()
    monkeypatch.chdir(gone)
    assert origin_of(str(gone / "shop.py")) is Origin.APPLICATION
    gone.rmdir()
    assert origin_of(str(gone / "shop.py")) is Origin.LIBRARY


class Sly(ModuleType):
    """Answers for its attributes itself, and says so."""

    asked = False

    def __getattribute__(self, name):
        Sly.asked = True
        raise RuntimeError(name)


def test_no_module_is_asked(tmp_path, monkeypatch):
    module_at(monkeypatch, "shop", tmp_path / "srv" / "shop.py")
    sly = sys.modules["shop"]
    sly.__class__ = Sly
    declare_application("shop")
    assert origin_of(str(tmp_path / "srv" / "till.py")) is Origin.APPLICATION
    assert not Sly.asked
