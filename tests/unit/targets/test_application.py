import functools

import pytest
from flask import Flask

from labserver.errors import CannotRun
from labserver.targets.application import is_factory, load_application


def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [environ]


def create():
    return wsgi


def create_with_defaults(config=None, debug=False):
    return config, debug


def create_with_anything(**settings):
    return settings


class Application:
    def __call__(self, environ, start_response):
        return wsgi(environ, start_response)


class Middleware:
    def __call__(self, *arguments):
        return wsgi(*arguments)


@functools.wraps(wsgi)
def wrapped(*arguments):
    return wsgi(*arguments)


@pytest.mark.parametrize("factory", [create, create_with_defaults, create_with_anything, Application, lambda: wsgi])
def test_what_can_be_called_without_arguments_is_a_factory(factory):
    assert is_factory(factory)


@pytest.mark.parametrize("application", [wsgi, wrapped, Application(), Middleware(), Flask("x"), 3])
def test_an_application_is_not_called(application):
    assert not is_factory(application)


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def write(code):
        name = f"shop_{abs(hash(code))}"
        (tmp_path / f"{name}.py").write_text(code)
        return name

    return write


@pytest.mark.parametrize("attribute", ["app", "make", "Holder.app"])
def test_an_application_is_found_made_or_nested(module, attribute):
    name = module("def app(e, s): pass\ndef make(): return app\nclass Holder:\n    app = staticmethod(app)\n")
    assert load_application(f"{name}:{attribute}").call.__name__ == "app"


@pytest.mark.parametrize(
    ("code", "attribute", "sentence"),
    [
        ("import nowhere", "app", "ModuleNotFoundError: No module named 'nowhere' \\(shop_.*.py:1\\)."),
        ("def app(", "app", "SyntaxError"),
        ("raise SystemExit(3)", "app", r"calls sys.exit\(3\)"),
        ("x = 1", "app", "has no attribute 'app'"),
        ("app = None", "app", "is a NoneType, not a WSGI"),
        ("def make(): return 1", "make", r"make\(\) is a int, not a WSGI"),
        ("def make():\n    return {}['dsn']", "make", r"make\(\) fails: KeyError: 'dsn' \(shop_.*.py:2\)"),
        (
            "def make(config): pass",
            "make",
            r"environ and start_response but \(config\); a factory of one",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(module, code, attribute, sentence):
    with pytest.raises(CannotRun, match=sentence) as caught:
        load_application(f"{module(code)}:{attribute}")
    assert "\n" not in str(caught.value)
