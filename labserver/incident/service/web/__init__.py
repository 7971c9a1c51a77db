"""The page at `/`: two photographs in, the face out, and what the server keeps beside it.

Plain files without a build step, under a policy that lets the browser load nothing from anywhere else.
"""

from flask import Blueprint, Response, make_response, render_template, request

from labserver.incident.service.runtime import current_service

web = Blueprint("web", __name__, template_folder=".", static_folder="static", static_url_path="/web")

# Scripts make no markup out of strings, so trusted types need no policy. Photographs are previewed from blobs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Kept, but asked for again each time: the files' names do not change with their contents.
    "Cache-Control": "no-cache",
}


@web.get("/")
def page() -> Response:
    """Return the page, with the largest upload that the settings allow."""
    response = make_response(render_template("page.html", most_bytes=current_service().settings.max_upload_bytes))
    response.add_etag()
    response.make_conditional(request)
    return response


@web.after_request
def secure(response: Response) -> Response:
    """Set the headers that all of the page's files have in common."""
    response.headers.update(_HEADERS)
    return response
