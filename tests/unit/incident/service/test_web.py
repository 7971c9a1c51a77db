"""The page's files as a server hands them out; how they work in a browser is tests/browser's."""

import re
from pathlib import Path

import pytest

from labserver.incident.service import Settings, create_app
from labserver.incident.service import web as package

STATIC = Path(package.__file__).parent / "static"


@pytest.fixture
def client():
    app = create_app(Settings(max_upload_bytes=12_345))
    yield app.test_client()
    app.extensions["labserver"].close()


def paths():
    return ["/", *(f"/web/{path.name}" for path in sorted(STATIC.iterdir()))]


@pytest.mark.parametrize("path", paths())
def test_every_file_is_safe_and_asked_for_again(client, path):
    with client.get(path) as answer:
        assert answer.status_code == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-cache"
        etag = answer.headers["ETag"]
    with client.get(path, headers={"If-None-Match": etag}) as again:
        assert (again.status_code, again.data) == (304, b"")


def test_scripts_and_styles_have_the_types_without_which_a_browser_refuses_them(client):
    kinds = {"page": "text/html", "app.js": "javascript", "style.css": "text/css", "icon.svg": "image/svg+xml"}
    for name, kind in kinds.items():
        with client.get("/" if name == "page" else f"/web/{name}") as answer:
            assert kind in answer.content_type


def test_the_page_knows_how_much_the_server_takes(client):
    assert '<meta name="most-upload-bytes" content="12345">' in client.get("/").get_data(as_text=True)


def test_the_page_names_no_other_host_and_has_no_script_or_style_of_its_own(client):
    page = client.get("/").get_data(as_text=True)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text), path


def test_what_the_page_loads_is_there(client):
    page = client.get("/").get_data(as_text=True)
    for name in re.findall(r"(?:src|href)=\"(web/[^\"]+)\"", page):
        with client.get(f"/{name}") as answer:
            assert answer.status_code == 200


def test_no_other_file_can_be_had(client):
    for path in ("/web/", "/web/../page.html", "/web/..%2f__init__.py", "/web/none.js"):
        assert client.get(path).status_code == 404


def test_the_jobs_own_answers_are_as_they_were(client):
    assert "Content-Security-Policy" not in client.get("/health").headers
