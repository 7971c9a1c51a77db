"""The description against the routes, and against real answers to generated requests, good ones and bad ones."""

import io
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from PIL import Image
from schemathesis import checks
from schemathesis.generation import GenerationMode

from labserver.service import Settings, create_app
from labserver.service.openapi import DESCRIPTION
from labserver.service.runtime import service_of

BOUNDED = hypothesis_settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture
def app():
    app = create_app(Settings(store="ttl", result_px=16, workers=1, queue_size=4, public_diagnostics=True))
    service_of(app).start()
    yield app
    service_of(app).close()


def described(paths):
    return {(path, method.upper()) for path, item in paths.items() for method in item.keys() & METHODS}


def routes(app):
    return {
        (re.sub(r"<(?:\w+:)?(\w+)>", lambda name: "{" + camel(name[1]) + "}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def test_every_route_is_described_and_nothing_else(app):
    assert described(DESCRIPTION["paths"]) == routes(app)


def test_a_new_route_would_be_missed(app):
    app.add_url_rule("/new/<int:a_number>", view_func=lambda **_: "")
    assert routes(app) - described(DESCRIPTION["paths"]) == {("/new/{aNumber}", "GET")}


def test_the_description_is_served_linked_and_valid(app):
    client = app.test_client()
    for path in ("/health", "/api/images/status/nobody", "/nowhere"):
        assert 'rel="service-desc"' in client.get(path).headers["Link"]
    assert client.get("/openapi.json").json == DESCRIPTION
    schemathesis.openapi.from_wsgi("/openapi.json", app).validate()


@pytest.fixture
def schema(app):
    app.wsgi_app = read_whole(app.wsgi_app)
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


def read_whole(application):
    """Do a server's part: schemathesis never closes an answer, and one of the page's files would stay open with it."""

    def served(environ, start_response):
        body = application(environ, start_response)
        try:
            return [b"".join(body)]
        finally:
            body.close()

    return served


@pytest.fixture(scope="session", autouse=True)
def photographs():
    """Generate usable photographs where the description asks for some."""
    photos = st.sampled_from([encoded(name) for name in ("JPEG", "PNG", "WEBP")])
    for kind in ("jpeg", "png", "webp"):
        schemathesis.openapi.media_type(f"image/{kind}", photos)


def encoded(name):
    out = io.BytesIO()
    Image.effect_noise((20, 20), 50).convert("RGB").save(out, name)
    return out.getvalue()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_generated_requests_are_answered_as_described(schema, mode):
    seen = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        try:
            cases = operation.as_strategy(generation_mode=mode)

            @BOUNDED
            @given(cases)
            def conforms(case):
                response = case.call()
                seen.add(response.status_code)
                case.validate_response(response, checks=CHECKS)

            conforms()
        except Unsatisfiable:
            continue  # nothing about it can be wrong
    assert not {status for status in seen if status >= 500} - {503}
    assert (202 in seen) == (mode is GenerationMode.POSITIVE)
