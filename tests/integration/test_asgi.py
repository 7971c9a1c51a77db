"""ASGI applications of each framework, behind the server that they have in production."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import requests

from labserver.diagnosis.instruments import COMMANDS
from labserver.errors import CannotRun
from labserver.load import virtual_users
from labserver.targets.target import open_target

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {
    "fast": """
        from fastapi import BackgroundTasks, FastAPI, WebSocket
        KEPT = []
        app = FastAPI()

        async def note(line):
            KEPT.append(line)

        @app.get("/leaky")
        async def leaky(background: BackgroundTasks):
            background.add_task(note, bytes(3000))
            return {"ok": True}

        @app.get("/clean")
        async def clean():
            return {"size": len(bytes(3000))}

        @app.websocket("/chat")
        async def chat(socket: WebSocket):
            await socket.accept()
    """,
    "star": """
        from contextlib import asynccontextmanager
        from itertools import count
        from starlette.applications import Starlette
        from starlette.responses import StreamingResponse
        from starlette.routing import Route

        @asynccontextmanager
        async def lifespan(app):
            yield {"cache": {}, "numbers": count()}

        async def parts():
            yield b"data: 1\\n\\n"
            yield b"data: 2\\n\\n"

        async def leaky(request):
            request.state.cache[next(request.state.numbers)] = bytes(3000)
            return await clean(request)

        async def clean(request):
            return StreamingResponse(parts(), media_type="text/event-stream")

        app = Starlette(routes=[Route("/leaky", leaky), Route("/clean", clean)], lifespan=lifespan)
    """,
    "quarts": """
        from quart import Quart, request

        class Audit:
            def __init__(self):
                self.seen = []

        def create_app():
            app = Quart(__name__)
            app.audit = Audit()

            @app.get("/leaky")
            async def leaky():
                app.audit.seen.append(bytes(3000))
                return {"ok": True}

            @app.get("/clean")
            async def clean():
                return {"agent": request.headers["User-Agent"]}

            return app
    """,
    "djan": """
        from django.conf import settings
        settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"])
        from django.core.asgi import get_asgi_application
        from django.http import JsonResponse
        from django.urls import path
        SEEN = {}

        async def leaky(request):
            SEEN[len(SEEN)] = bytes(3000)
            return JsonResponse({"ok": True})

        def clean(request):
            return JsonResponse({"ok": True})

        urlpatterns = [path("leaky", leaky), path("clean", clean)]
        app = get_asgi_application()
    """,
}
PLAIN = """
    import asyncio, contextvars, signal
    KEPT = []
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    REQUEST = contextvars.ContextVar("request")
    ticking = []

    async def tick():
        while True:
            await asyncio.sleep(0.2)

    async def forget(data):
        await asyncio.sleep(600)

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            ticking.append(asyncio.create_task(tick()))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            open("ended", "w").close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["path"] == "/forgotten":
            asyncio.get_running_loop().create_task(forget(bytes(50_000)))
        if scope["path"] == "/large":
            REQUEST.set(bytes(100_000))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/endless":
            while True:
                await send({"type": "http.response.body", "body": bytes(10_000), "more_body": True})
                await asyncio.sleep(0.001)
        if scope["path"] == "/deaf":
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.Event().wait()
        ours = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        body = "ok" if ours else "not ours"
        await send({"type": "http.response.body", "body": body.encode()})
        if scope["path"] == "/after":
            await asyncio.sleep(1)
            KEPT.append(bytes(50_000))
"""
HANGS = """
    import asyncio

    async def app(scope, receive, send):
        await asyncio.sleep(600)
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    for name, code in {**FRAMEWORKS, "plain": PLAIN, "hangs": HANGS}.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(shop, target, request):
    done = subprocess.run(
        [sys.executable, "-m", "labserver", "check", target, "--request", request, "--fast", "--json", "result.json"],
        cwd=shop,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert "Traceback" not in done.stderr
    return json.loads((shop / "result.json").read_text(encoding="utf-8")), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("target", "holder"),
    [
        ("fast:app", "module fast → KEPT → […]"),
        ("star:app", "module star:app → state → ['…'] → ['…']"),
        ("quarts:create_app", "module quarts:create_app → application → Quart.audit → Audit.seen → […]"),
        ("djan:app", "module djan → SEEN → ['…']"),
    ],
)
def test_a_leak_of_each_framework_is_named_and_a_clean_endpoint_is_none(shop, target, holder):
    found, page = check(shop, target, "GET /leaky")
    assert found["verdict"] == "leak", page
    assert found["errors"] == 0
    assert found["bytes_per_job"]["estimate"] == pytest.approx(3070, rel=0.05)
    assert [item["path"] for item in found["holders"]] == [holder]
    assert found["holders"][0]["share_of_growth"] > 0.95
    assert "uvicorn" not in page
    found, page = check(shop, target, "GET /clean")
    assert found["verdict"] == "no-leak", page
    assert found["errors"] == 0


@pytest.mark.usefixtures("shop")
def test_what_past_requests_had_in_their_context_is_gone_at_each_floor():
    with (
        open_target("plain:app") as target,
        virtual_users(target.url, 4, requests=["GET /large"]) as users,
    ):
        floors = []
        for _ in range(5):
            assert users.run(iterations=30).ok
            floors.append(target.floor().heap_bytes)
        assert max(floors[1:]) - min(floors[1:]) < 100_000  # of one request


@pytest.mark.usefixtures("shop")
def test_what_the_event_loop_alone_holds_is_named_by_it():
    with open_target("plain:app", instruments=COMMANDS) as target:
        requests.get(target.url, timeout=60)
        target.baseline()
        requests.get(f"{target.url}/forgotten", headers={"Connection": "close"}, timeout=60)
        target.floor()
        (holder, *_) = target.growth().holders
        assert holder.path.startswith("module plain:app → loop → ")
        assert holder.path.endswith("Task._coro → local data (forget)")


@pytest.mark.usefixtures("shop")
def test_a_floor_waits_for_what_runs_after_the_answer():
    with open_target("plain:app", instruments=COMMANDS) as target:
        target.baseline()
        assert requests.get(f"{target.url}/after", headers={"Connection": "close"}, timeout=60).text == "ok"
        target.floor(settle_s=60.0)
        assert "plain → KEPT" in str(target.growth())


@pytest.mark.usefixtures("shop")
def test_signals_are_left_to_the_application():
    with open_target("plain:app") as target:
        assert requests.get(target.url, timeout=60).text == "ok"


def test_clients_that_leave_a_stream_do_no_harm_and_do_not_delay_the_end(shop):
    with open_target("plain:app") as target:
        for path in ("endless", "endless", "deaf"):
            with requests.get(f"{target.url}/{path}", stream=True, timeout=60) as answer:
                assert next(answer.iter_content(1))
        assert target.floor().heap_bytes
        with requests.get(f"{target.url}/endless", stream=True, timeout=60) as answer:
            assert next(answer.iter_content(1))
            assert requests.get(target.url, timeout=60).text == "ok"
            target.close()
        assert (shop / "ended").exists()


@pytest.mark.usefixtures("shop")
def test_a_lifespan_that_does_not_start_is_told():
    with pytest.raises(CannotRun, match="was not ready to serve within 6 s"), open_target("hangs:app", start_s=6):
        pass
