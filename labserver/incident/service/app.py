"""The application: wiring only."""

from flask import Flask

from labserver.incident.service.actuator import diagnostics
from labserver.incident.service.api import routes
from labserver.incident.service.clock import AdjustableClock, Clock
from labserver.incident.service.memory import Memory
from labserver.incident.service.openapi import description, link_description
from labserver.incident.service.problems import register_problems
from labserver.incident.service.runtime import EXTENSION, Service
from labserver.incident.service.settings import Settings
from labserver.incident.service.uploads import MAX_FORM_PARTS, InMemoryRequest
from labserver.incident.service.web import web


def create_app(settings: Settings | None = None, *, clock: Clock | None = None, memory: Memory = tuple) -> Flask:
    """Build the service without starting anything.

    The host calls `app.extensions["labserver"].start()` before it serves, and `close()` after.

    Args:
        settings: What to build; the defaults if left out.
        clock: The time in seconds; the real one, which can be advanced, if left out.
        memory: Measures the process's memory for the diagnostics, which report none if left out.

    Raises:
        CannotRun: The store needs a package or a program that is not installed.
        UsageError: The store does not work with the other settings.
    """
    settings = settings or Settings()
    app = Flask("labserver.incident.service", static_folder=None)
    app.request_class = InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
    # Otherwise `//` in a path is redirected to whatever host the client names.
    app.url_map.merge_slashes = False
    app.extensions[EXTENSION] = Service(settings, clock or AdjustableClock(), memory)
    app.register_blueprint(routes)
    app.register_blueprint(diagnostics)
    app.register_blueprint(description)
    app.after_request(link_description)
    app.register_blueprint(web)
    register_problems(app)
    return app
