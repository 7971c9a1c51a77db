"""What calls a server calls one behind TLS, too."""

import socket
import ssl
import threading
import time

import pytest
import trustme
from click.testing import CliRunner
from werkzeug.serving import make_server

from labserver.cli.load import load
from labserver.cli.watch import watch
from labserver.incident.service.app import create_app
from labserver.incident.service.face import Closing
from labserver.incident.service.face_client import FaceApiError, FaceClient
from labserver.incident.service.faceapi import create_face_api, face_service_of
from labserver.load.photos import PhotoPool


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, monkeypatch, tmp_path):
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(file))


@pytest.fixture
def behind_tls(authority):
    """Serve an application, and say where."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    servers = []

    def serve(app):
        server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"https://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def service(behind_tls):
    app = create_app()
    app.extensions["labserver"].start()
    yield behind_tls(app)
    app.extensions["labserver"].close()


def face_client(url):
    return FaceClient(url, timeout_s=60, max_image_bytes=10**6, max_pixels=10**6)


@pytest.mark.usefixtures("trusted")
def test_the_load(service):
    done = CliRunner().invoke(load, [service, "--iterations", "2", "--users", "1", "--poll-interval", "0.01"])
    assert done.exit_code == 0, done.output
    assert "✗" not in done.stdout
    assert "http_req_connecting" in done.stdout


def test_the_load_says_that_nobody_vouches_for_the_server(service):
    done = CliRunner().invoke(load, [service, "--iterations", "1", "--users", "1"])
    assert done.exit_code == 1
    assert "no answer (tls)" in done.stdout


@pytest.mark.usefixtures("trusted")
def test_the_monitor(service):
    done = CliRunner().invoke(watch, [service, "--duration", "0.3", "--interval", "0.1"])
    assert done.exit_code == 0, done.output
    assert "kept 0" in done.output


def test_the_monitor_says_that_it_does_not_come_through(service):
    done = CliRunner().invoke(watch, [service, "--duration", "0.3"])
    assert "TLS failed" in str(done.exception)


@pytest.mark.usefixtures("trusted")
def test_the_face_api(behind_tls):
    photos = PhotoPool(0).pairs[0]
    app = create_face_api()
    client = face_client(behind_tls(app))
    face_service_of(app).start()
    assert client.compose(*photos).startswith(b"\x89PNG")
    assert client.compose(*photos).startswith(b"\x89PNG")
    client.close()
    face_service_of(app).close()


def test_a_face_api_that_nobody_vouches_for_gets_no_photograph(behind_tls):
    asked = []
    client = face_client(behind_tls(lambda environ, _: asked.append(environ)))
    with pytest.raises(FaceApiError, match=r"cannot be reached\.$"):
        client.compose(b"a", b"b")
    assert asked == []
    client.close()


def test_closing_ends_a_handshake_that_the_face_api_does_not_answer():
    outcome = []

    def work():
        try:
            client.compose(b"a", b"b")
        except FaceApiError as error:
            outcome.append(error)
        except Closing:
            outcome.append(time.monotonic())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = face_client(f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=work)
        thread.start()
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1)  # the handshake has begun
            began = time.monotonic()
            client.close()
            thread.join(60)
    assert isinstance(outcome[0], float)
    assert outcome[0] - began < 3  # 5 s is what a connection may take
