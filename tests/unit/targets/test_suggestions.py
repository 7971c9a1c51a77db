from functools import partial
from types import ModuleType

import pytest
from werkzeug.local import LocalProxy

from labserver.targets.suggestions import after_import, after_lookup


def lacks(name):
    return ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.fixture
def here(tmp_path):
    for file in ("shop/app.py", "src/store/__init__.py", "single.py", "empty/readme.txt"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    return tmp_path


def app():
    """Any callable."""


@pytest.mark.parametrize(
    ("name", "attributes", "end"),
    [
        ("aplication", {"application": app, "app": app}, ": did you mean `application`?"),
        ("server", {"helper": app, "create_app": app, "wsgi": app}, ": did you mean `create_app`?"),
        ("server", {"application": app, "app": app}, ": did you mean `app`?"),
        ("aplication", {"application": "no callable", "_aplication": app}, "."),
        ("aplication", {"plain": app, "app": app}, ": did you mean `app`?"),
        ("server", {"helper": app}, "."),
        ("server", {"helper": app, "Partial": partial, "service": partial(app)}, ": did you mean `service`?"),
        ("server", {"one": partial(app), "other": partial(app)}, "."),
        ("localproxy", {"LocalProxy": LocalProxy, "app": app}, ": did you mean `app`?"),
    ],
)
def test_an_attribute_of_a_like_name_is_meant_and_else_a_usual_one(name, attributes, end):
    module = ModuleType("shop")
    vars(module).update(attributes)
    assert after_lookup(name, module) == end


def test_a_proxy_of_nothing_is_not_asked():
    # Made here: whoever goes over all objects and asks each for its class would meet it.
    module = ModuleType("shop")
    module.requests = LocalProxy(lambda: 1 / 0)
    assert after_lookup("request", module) == ": did you mean `requests`?"


@pytest.mark.parametrize(
    ("name", "missing", "end"),
    [
        ("shp.app", "shp", ": did you mean `shop.app`?"),
        ("shop.ap", "shop.ap", ": did you mean `shop.app`?"),
        ("singel", "singel", ": did you mean `single`?"),
        ("store.app", "store", ": src has it, so run the check from there."),
        ("nowhere", "nowhere", "."),
        ("emty", "emty", "."),
        ("shop.app", "flask_cors", ": install it beside labserver."),
        ("shop.app", "shop.db", "."),
    ],
)
def test_a_module_that_is_not_there_is_looked_for_nearby(here, name, missing, end):
    assert after_import(lacks(missing), name, here) == end


def test_other_errors_of_an_import_have_no_such_end(here):
    assert after_import(ImportError("cannot import name", name="shp"), "shp", here) == "."
    assert after_import(lacks("shop"), "shop.app", here / "gone") == "."
