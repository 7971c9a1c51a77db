"""The description against the routes, and against real answers to generated requests, good ones and bad ones."""

import io
import re
import time

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from PIL import Image
from schemathesis import checks
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode

from labserver.incident.service import Settings, create_app
from labserver.incident.service.openapi import DESCRIPTION
from labserver.incident.service.runtime import service_of

BOUNDED = hypothesis_settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
STEPS = hypothesis_settings(BOUNDED, max_examples=15, stateful_step_count=6)
# Left out: `not_a_server_error`, which knows of no back-pressure (the statuses are looked at below); `ignored_auth` and
# `object_level_authorization`, as there is nothing to log in to; `missing_required_header`, as no header is required;
# `use_after_free`, as nothing can be deleted; and `ensure_resource_availability`, which looks only at paths that begin
# with the one that was posted to. `Workflow` asks the same of our jobs.
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.negative_data_rejection,
    checks.positive_data_acceptance,
]
METHODS = {"get", "put", "post", "delete", "patch"}
SUBMIT, STATUS, RESULT = (
    "POST /api/images/analyze",
    "GET /api/images/status/{jobId}",
    "GET /api/images/result/{jobId}",
)


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
    return load(app)


def load(app):
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


class Findings:
    """What was seen of the answers, and what is wrong with them: the first request and sentence for each failure."""

    def __init__(self):
        self.statuses = set()
        self.failures = {}

    def judge(self, case, response, **context):
        self.statuses.add((case.operation.label, response.status_code))
        if response.status_code >= 500 and response.status_code != 503:
            self.failures.setdefault("ServerError", f"{response.status_code} to {case.as_curl_command()}")
        try:
            case.validate_response(response, checks=CHECKS, **context)
        except FailureGroup as group:
            for failure in group.exceptions:
                self.failures.setdefault(type(failure).__name__, f"{failure}\n{case.as_curl_command()}")


def operations(schema, start=""):
    return [found.ok() for found in schema.get_all_operations() if found.ok().path.startswith(start)]


def generated(operation, mode):
    """Judge the answers to what hypothesis makes of an operation's schemas."""
    findings = Findings()

    @BOUNDED
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case):
        findings.judge(case, case.call())

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing about it can be wrong
    return findings


def enumerated(operation):
    """Judge the answers to each boundary of an operation's schemas, and to each method that it does not know."""
    findings = Findings()
    for case in operation.schema.iter_coverage_cases(
        operation,
        generation_modes=list(GenerationMode),
        generation_config=operation.schema.config.generation_for(operation=operation, phase="coverage"),
    ):
        response = case.call()
        findings.statuses.add(case.method)
        findings.judge(case, response)
    return findings


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_generated_requests_are_answered_as_described(schema, mode):
    seen = set()
    for operation in operations(schema):
        findings = generated(operation, mode)
        assert not findings.failures
        seen |= findings.statuses
    assert ((SUBMIT, 202) in seen) == (mode is GenerationMode.POSITIVE)


def test_requests_at_every_boundary_are_answered_as_described(schema):
    seen = set()
    for operation in operations(schema):
        findings = enumerated(operation)
        assert not findings.failures
        seen |= findings.statuses
    assert {"PUT", "DELETE", (SUBMIT, 202), (SUBMIT, 400), (SUBMIT, 405)} <= seen


def followed(schema, service):
    """Follow the description's links, judge the answers, and return the steps that linked ones were as well."""
    findings, steps, issued = Findings(), set(), set()

    class Workflow(schema.as_state_machine()):
        def before_call(self, case):
            deadline = time.monotonic() + 20
            while case.operation.label == RESULT and not service.idle():
                assert time.monotonic() < deadline
                time.sleep(0.002)

        def validate_response(self, response, case, **_):
            findings.judge(case, response, recorder=self.recorder)
            label, status = case.operation.label, response.status_code
            parent = self.recorder.find_parent(case_id=case.id)
            if label == SUBMIT and status == 202:
                issued.add(response.json()["jobId"])
            elif parent is not None and case.path_parameters["jobId"] in issued:
                steps.add((parent.operation.label, label, status))

    Workflow.run(settings=STEPS)
    return findings, steps


def test_links_lead_from_a_submission_to_its_status_and_its_image(schema, app):
    findings, steps = followed(schema, service_of(app))
    assert not findings.failures
    assert steps >= {(SUBMIT, STATUS, 200), (SUBMIT, RESULT, 200), (STATUS, RESULT, 200)}
    assert {status for *_, status in steps} == {200}


def test_what_a_client_that_knows_a_file_asks_for_is_described(schema):
    (operation,) = operations(schema, "/web/")
    known = operation.Case(path_parameters={"filename": "app.js"}).call().headers["etag"][0]
    for headers, status in [
        ({"If-None-Match": known}, 304),
        ({"Range": "bytes=0-9"}, 206),
        ({"Range": "bytes=99999999-"}, 416),
    ]:
        case = operation.Case(path_parameters={"filename": "app.js"}, headers=headers)
        response, findings = case.call(), Findings()
        findings.judge(case, response)
        assert (response.status_code, findings.failures) == (status, {})


def answer(app, endpoint, *parts, headers=None):
    def view(**_):
        response = app.make_response(parts)
        response.headers.update(headers or {})
        return response

    app.view_functions[endpoint] = view


PLANTED = {
    "UndefinedStatusCode": lambda app: answer(app, "jobs.health", {"status": "UP"}, 418),
    "UndefinedContentType": lambda app: answer(app, "jobs.health", "UP", 200),
    "JsonSchemaError": lambda app: answer(app, "jobs.health", {"status": "DOWN"}, 200),
    "MissingHeaders": lambda app: answer(app, "jobs.analyze", {"jobId": "x"}, 202),
    "ServerError": lambda app: answer(app, "jobs.health", {"status": "UP"}, 500),
    "AcceptedNegativeData": lambda app: answer(app, "jobs.analyze", {"jobId": "x"}, 202, headers={"Retry-After": "1"}),
    "RejectedPositiveData": lambda app: answer(app, "jobs.analyze", {}, 422),
    "UnsupportedMethodResponse": lambda app: app.add_url_rule(
        "/health", "also", lambda: {"status": "UP"}, methods=["DELETE"]
    ),
}


@pytest.mark.parametrize("failure", PLANTED)
def test_an_answer_that_is_not_as_described_is_found(app, failure):
    PLANTED[failure](app)
    schema = load(app)
    found = set()
    for path in ("/health", "/api/images/analyze"):
        (operation,) = operations(schema, path)
        for findings in (generated(operation, GenerationMode.POSITIVE), enumerated(operation)):
            found |= findings.failures.keys()
    assert failure in found


def test_a_job_that_is_forgotten_is_found(app, schema, monkeypatch):
    monkeypatch.setattr(service_of(app).store, "get", lambda _: None)
    _, steps = followed(schema, service_of(app))
    assert (SUBMIT, STATUS, 410) in steps
