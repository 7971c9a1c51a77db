"""The application: wiring only."""

from flask import Flask

from labserver.service.api import InMemoryRequest, routes
from labserver.service.clock import AdjustableClock, Clock
from labserver.service.problems import register_problems
from labserver.service.runtime import EXTENSION, Service
from labserver.service.settings import Settings

# Two photographs and some small fields; a flood of tiny parts is refused before it is parsed.
_MAX_FORM_PARTS = 16


def create_app(settings: Settings | None = None, *, clock: Clock | None = None) -> Flask:
    """Build the service without starting anything.

    The host calls `app.extensions["labserver"].start()` before it serves, and `close()` after.

    Args:
        settings: What to build; the defaults if left out.
        clock: The time in seconds; the real one, which can be advanced, if left out.
    """
    settings = settings or Settings()
    app = Flask("labserver.service", static_folder=None)
    app.request_class = InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes
    app.config["MAX_FORM_PARTS"] = _MAX_FORM_PARTS
    app.extensions[EXTENSION] = Service(settings, clock or AdjustableClock())
    app.register_blueprint(routes)
    register_problems(app)
    return app
