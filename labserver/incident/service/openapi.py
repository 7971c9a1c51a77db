"""What the service answers to whom, as an OpenAPI 3.1 description: written by hand, tested against routes and answers.

HEAD and OPTIONS are left out: the framework answers them for each GET, without a body.
"""

from typing import Any

from flask import Blueprint, Response, jsonify

from labserver.incident.service.jobs import JobState

description = Blueprint("description", __name__)

_PATH = "/openapi.json"
_LINK = f'<{_PATH}>; rel="service-desc"; type="application/json"'
_ACTUATOR_JSON = "application/vnd.spring-boot.actuator.v3+json"
_PNG = {"image/png": {"schema": {"type": "string", "contentMediaType": "image/png"}}}
_JOB_ID = "0a3f3c1f1c6f4d0d8d0c6ab0a1d5f3be.aSVUig.hG2sVY1fSCbVvUIHyJ0uK0nVdlk"
_PHOTO_TYPES = "image/jpeg, image/png, image/webp"

_INTRODUCTION = """\
Composes a face out of two photographs, job by job: submit them, poll the job's status, fetch its result.

Every error is a problem document (RFC 9457), also those that no operation lists: 404 on an unknown path, and 405 with
`Allow` for a method that a path does not know. What is no HTTP is refused with 400, 413, 431 or 501 in plain text, and
the connection is closed. `503` says when it is worth coming back. HEAD works wherever GET does.
"""


@description.get(_PATH)
def openapi() -> Response:
    """Return the description."""
    return jsonify(DESCRIPTION)


def link_description(response: Response) -> Response:
    """Say in an answer where the description is (RFC 8631)."""
    response.headers.add("Link", _LINK)
    return response


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _answer(text: str, media_type: str, schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"description": text, "content": {media_type: content}}


def _problem(text: str, status: int, *kinds: str, retry: bool = False) -> dict[str, Any]:
    """Describe an error: its `type` is one of `kinds`, which are named as in the problem's URI."""
    types = [kind if kind == "about:blank" else f"/problems/{kind}" for kind in kinds]
    this = {"properties": {"type": {"enum": types}, "status": {"const": status}}}
    example = {"type": types[0], "title": text, "status": status, "detail": f"{text}."}
    schema = {"allOf": [_ref("schemas", "Problem"), this]}
    answer = _answer(text, "application/problem+json", schema, example)
    return {**answer, "headers": {"Retry-After": _RETRY_AFTER | {"required": True}}} if retry else answer


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": required | (optional or {})}


def _operation(name: str, summary: str, tag: str, responses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "tags": [tag], **more, "responses": responses}


_STRING = {"type": "string"}
_UPLOAD = {"type": "string", "format": "binary"}
_RETRY_AFTER: dict[str, Any] = {
    "description": "Seconds after which it is worth coming back.",
    "schema": {"type": "integer", "minimum": 0},
}
_STORE_AWAY = _problem("The store cannot be reached", 503, "store-unavailable", retry=True)
_NO_JOB = _problem("The id was not issued by this server", 404, "unknown-job", "about:blank")
_GONE = _problem("The job is no longer kept", 410, "job-gone")
_STRANGER = _problem("Diagnostics answer on this machine only", 403, "local-only")

_SCHEMAS: dict[str, Any] = {
    "Problem": _object(
        {
            "type": {"type": "string", "format": "uri-reference", "description": "The kind of problem, for programs."},
            "title": {"type": "string", "description": "The kind in a few words."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What is wrong with this request, and what to do."},
        }
    ),
    "Health": _object({"status": {"enum": ["UP"]}}),
    "Accepted": _object({"jobId": _STRING}),
    "Job": _object(
        {
            "jobId": _STRING,
            "status": {"enum": [str(state) for state in JobState]},
            "createdAt": {"type": "string", "format": "date-time", "description": "When the job came to this status."},
        },
        {"error": {"type": "string", "description": "Why a failed job failed."}},
    ),
    "Photographs": _object({"parentA": _UPLOAD, "parentB": _UPLOAD}),
    "Links": _object(
        {
            "_links": {
                "type": "object",
                "additionalProperties": _object({"href": _STRING, "templated": {"type": "boolean"}}),
            }
        }
    ),
    "ActuatorHealth": _object({"status": {"enum": ["UP", "DOWN"]}}),
    "MetricNames": _object({"names": {"type": "array", "items": _STRING}}),
    "Metric": _object(
        {
            "name": _STRING,
            "description": _STRING,
            "baseUnit": {"type": ["string", "null"]},
            "measurements": {
                "type": "array",
                "minItems": 1,
                "items": _object({"statistic": {"enum": ["VALUE", "COUNT"]}, "value": {"type": "number"}}),
            },
            "availableTags": {
                "type": "array",
                "items": _object({"tag": _STRING, "values": {"type": "array", "items": _STRING}}),
            },
        }
    ),
}

_JOB_ID_PARAMETER = {
    "name": "jobId",
    "in": "path",
    "required": True,
    "description": "As the answer to the submission gave it.",
    "schema": {"type": "string", "minLength": 1},
    "example": _JOB_ID,
}
# What can be asked next about the job that an answer is about.
_JOB_LINKS = {
    name: {"operationId": name, "parameters": {"jobId": "$response.body#/jobId"}} for name in ("status", "result")
}
_METRIC_PARAMETERS: list[dict[str, Any]] = [
    {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
    {
        "name": "tag",
        "in": "query",
        "description": "Only samples with this tag, as key:value; repeatable.",
        "schema": {"type": "array", "items": {"type": "string", "pattern": ":"}},
        "example": ["area:heap"],
    },
]
_PHOTOGRAPHS = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": _ref("schemas", "Photographs"),
            "encoding": {part: {"contentType": _PHOTO_TYPES} for part in ("parentA", "parentB")},
        }
    },
}
_BAD_PHOTOGRAPHS = {
    "400": _problem("A photograph is missing", 400, "missing-photo"),
    "413": _problem("The photographs are larger than the service takes", 413, "about:blank"),
    "422": _problem("A photograph cannot be used", 422, "bad-photo"),
}


def _jobs() -> dict[str, Any]:
    accepted = _answer("The job is queued", "application/json", _ref("schemas", "Accepted"), {"jobId": _JOB_ID})
    accepted["headers"] = {
        "Location": {"required": True, "description": "Where its status is.", "schema": _STRING},
        "Retry-After": _RETRY_AFTER | {"required": True},
    }
    accepted["links"] = _JOB_LINKS
    submit = {
        "202": accepted,
        **_BAD_PHOTOGRAPHS,
        "503": _problem("No more jobs are taken now", 503, "queue-full", "store-full", "store-unavailable", retry=True),
    }
    job = {"jobId": _JOB_ID, "status": "RUNNING", "createdAt": "2025-11-25T09:30:00.000+00:00"}
    status = {
        "200": _answer("Where the job stands", "application/json", _ref("schemas", "Job"), job)
        | {"headers": {"Retry-After": _RETRY_AFTER}, "links": _JOB_LINKS},
        "404": _NO_JOB,
        "410": _GONE,
        "503": _STORE_AWAY,
    }
    not_now = _problem("The job has no image, or none yet", 409, "job-unfinished", "job-failed")
    result = {
        "200": {"description": "The composed face", "content": _PNG},
        "404": _NO_JOB,
        "409": not_now | {"headers": {"Retry-After": _RETRY_AFTER}},
        "410": _GONE,
        "503": _STORE_AWAY,
    }
    return {
        "/api/images/analyze": {
            "post": _operation("submit", "Submit two photographs", "jobs", submit, requestBody=_PHOTOGRAPHS)
        },
        "/api/images/status/{jobId}": {
            "parameters": [_JOB_ID_PARAMETER],
            "get": _operation("status", "Say where a job stands", "jobs", status),
        },
        "/api/images/result/{jobId}": {
            "parameters": [_JOB_ID_PARAMETER],
            "get": _operation("result", "Fetch a finished job's image", "jobs", result),
        },
    }


def _synchronous() -> dict[str, Any]:
    answers = {
        "200": {"description": "The composed face", "content": _PNG},
        **_BAD_PHOTOGRAPHS,
        "502": _problem("The AI service failed", 502, "face-api-failed"),
        "503": _problem("The service is closing", 503, "closing", retry=True),
        "504": _problem("The AI service took too long", 504, "face-api-timeout"),
    }
    summary = "Compose a face while the request waits"
    return {
        "/api/images/compose": {
            "post": _operation("compose", summary, "synchronous", answers, requestBody=_PHOTOGRAPHS)
        }
    }


def _page() -> dict[str, Any]:
    known = {"304": {"description": "It is as the client knows it"}}
    page = {"200": {"description": "The page", "content": {"text/html": {"schema": _STRING}}}, **known}
    types = ("text/javascript", "text/css", "image/svg+xml")
    content = {name: {"schema": _STRING} for name in types}
    files = {
        "200": {"description": "One of the page's files", "content": content},
        "206": {"description": "The range of it that was asked for", "content": content},
        **known,
        "404": _problem("There is no such file", 404, "about:blank"),
        "416": _problem("The file has no such range", 416, "about:blank"),
    }
    name = {"name": "filename", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    return {
        "/": {"get": _operation("page", "The page that composes a face", "page", page)},
        "/web/{filename}": {
            "parameters": [name | {"example": "app.js"}],
            "get": _operation("pageFile", "Return one of its files", "page", files),
        },
    }


def _service() -> dict[str, Any]:
    health = _answer("The server serves", "application/json", _ref("schemas", "Health"), {"status": "UP"})
    this = _answer("The description", "application/json", _object({"openapi": _STRING}))
    return {
        "/health": {"get": _operation("health", "Say that the server serves", "service", {"200": health})},
        _PATH: {"get": _operation("openapi", "Return this description", "service", {"200": this})},
    }


def _diagnostics() -> dict[str, Any]:
    unknown = _problem("There is no such metric, or none with these tags", 404, "unknown-metric", "about:blank")
    metric = _diagnostic(
        "metric",
        "Return one metric, summed over the samples that have the tags",
        _actuator("Metric"),
        {"400": _problem("A tag cannot be read", 400, "bad-tag"), "404": unknown, "503": _STORE_AWAY},
    )
    down = _answer("The store cannot be reached", _ACTUATOR_JSON, _ref("schemas", "ActuatorHealth"))
    absent = _problem("The package prometheus-client is missing", 404, "no-prometheus")
    exposition = {name: {"schema": _STRING} for name in ("text/plain", "application/openmetrics-text")}
    return {
        "/actuator": {"get": _diagnostic("index", "List the endpoints", _actuator("Links"))},
        "/actuator/health": {
            "get": _diagnostic(
                "actuatorHealth", "Say whether the service can work", _actuator("ActuatorHealth"), {"503": down}
            )
        },
        "/actuator/metrics": {
            "get": _diagnostic("metricNames", "List the metrics", _actuator("MetricNames"), {"503": _STORE_AWAY})
        },
        "/actuator/metrics/{name}": {"parameters": _METRIC_PARAMETERS, "get": metric},
        "/metrics": {
            "get": _diagnostic(
                "prometheus",
                "Return all metrics in Prometheus' format",
                {"description": "All metrics", "content": exposition},
                {"404": absent, "503": _STORE_AWAY},
            )
        },
    }


def _diagnostic(
    name: str, summary: str, ok: dict[str, Any], errors: dict[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    return _operation(name, summary, "diagnostics", {"200": ok, "403": _STRANGER, **(errors or {})})


def _actuator(schema: str) -> dict[str, Any]:
    return _answer("As Spring Boot's Actuator answers", _ACTUATOR_JSON, _ref("schemas", schema))


DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "labserver's job service",
        "version": "1.0.0",
        "description": _INTRODUCTION,
        "license": {"name": "MIT", "identifier": "MIT"},
    },
    "paths": _jobs() | _synchronous() | _page() | _service() | _diagnostics(),
    "components": {"schemas": _SCHEMAS},
}
"""The description, as `/openapi.json` serves it."""
