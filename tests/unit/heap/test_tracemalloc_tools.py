import json
import ssl
import tracemalloc

import pytest

from labserver.heap.frame import Frame
from labserver.heap.origin import Origin
from labserver.heap.tracemalloc_tools import (
    ANALYSTS,
    allocated_at,
    allocation_growth,
    frame_at,
    own_frames,
    take_snapshot,
    telling_trace,
    trace_of_object,
    tracing,
)


def helper(size):
    return bytes(size)


def upload_handler():
    return helper(700_000)


def preview_handler():
    return helper(300_000)


def growth(frames):
    with tracing(frames):
        before = take_snapshot()
        kept = [upload_handler(), preview_handler(), preview_handler()]
        after = take_snapshot()
        kept.clear()
    return [site for site in allocation_growth(before, after) if site.growth_bytes > 100_000]


def test_enough_frames_tell_two_handlers_of_one_helper_apart():
    first, second = growth(frames=10)
    assert (first.growth_blocks, second.growth_blocks) == (1, 2)
    assert first.frames[0].function == second.frames[0].function == "helper"
    assert first.frames[1].function == "upload_handler"
    assert second.frames[1].function == "preview_handler"
    assert first.growth_bytes == pytest.approx(700_033, abs=100)


def test_one_frame_names_the_helper_only():
    (site,) = growth(frames=1)
    assert site.growth_blocks == 3
    assert [frame.function for frame in site.frames] == ["helper"]


def test_what_was_freed_is_no_growth():
    with tracing(5):
        before = take_snapshot()
        upload_handler()
        after = take_snapshot()
    assert not [site for site in allocation_growth(before, after) if site.growth_bytes > 10_000]


def test_the_analysts_own_allocations_are_left_out():
    cell = compile("def show():\n    return bytes(900_000)", "/tmp/ipykernel_4711/123.py", "exec")
    namespace = {}
    exec(cell, namespace)
    with tracing(10):
        before = take_snapshot()
        kept = namespace["show"](), upload_handler()
        after = take_snapshot()
    sites = [site for site in allocation_growth(before, after) if site.growth_bytes > 100_000]
    assert [site.frames[1].function for site in sites] == ["upload_handler"]
    assert len(kept) == 2
    assert all(isinstance(pattern, str) for pattern in ANALYSTS)


def test_an_objects_own_stack_is_found_leaf_first():
    with tracing(10):
        kept = upload_handler()
        frames = allocated_at(kept)
    assert [frame.function for frame in frames[:2]] == ["helper", "upload_handler"]
    line = helper.__code__.co_firstlineno + 1
    assert str(frames[0]).endswith(f"test_tracemalloc_tools.py:{line} in helper")


class Plain:
    pass


class WithSlots:
    __slots__ = ("text",)


class Derived(ssl.SSLContext):
    pass


@pytest.mark.parametrize(
    "make",
    [
        Plain,
        WithSlots,
        type("OfList", (list,), {}),
        type("Weak", (), {"__slots__": ("__weakref__",)}),
        lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        lambda: Derived(ssl.PROTOCOL_TLS_CLIENT),
        lambda: [1],
        lambda: bytes(500),
        ValueError,
        lambda: type("Made", (), {}),
    ],
)
def test_every_kind_of_object_has_a_stack(make):
    """What stands before an object in its block differs: the collector's words, the attributes', both or none."""
    old = make()
    with tracing(5):
        objects = [make() for _ in range(200)]  # some of them may lie in blocks that were there before
        stacks = [allocated_at(one) for one in objects]
        assert allocated_at(old) == ()
    files = [[frame.file for frame in stack] for stack in stacks]
    assert sum(any(file.endswith("test_tracemalloc_tools.py") for file in stack) for stack in files) >= 20


def test_the_stack_that_the_application_has_a_part_in_tells_more():
    made = {}
    with tracing(1):
        exec(compile("made['foreign'] = bytes(700)", json.__file__, "exec"), {"made": made})
        made["own"] = helper(700)
        foreign, own, plain = made["foreign"], made["own"], object
        assert trace_of_object(foreign)[0][0] == json.__file__
        assert telling_trace([plain, foreign, own])[0][0] == __file__
        assert telling_trace([plain, foreign])[0][0] == json.__file__
        assert telling_trace([plain]) == telling_trace([]) == ()


def test_an_untraced_object_has_no_stack():
    assert allocated_at(upload_handler()) == ()


def test_cells_are_named_alike_in_every_kernel():
    cell = compile("kept = bytes(900_000)", "/tmp/ipykernel_99/55.py", "exec")
    namespace = {}
    with tracing(5):
        exec(cell, namespace)
        frames = allocated_at(namespace["kept"])
    assert str(frames[0]) == "notebook cell:1"


def test_the_applications_lines_are_shown_from_the_working_directory_and_others_as_imported(tmp_path, monkeypatch):
    source, installed = tmp_path / "src", tmp_path / ".venv" / "site-packages"
    for folder in (source, installed):
        folder.mkdir(parents=True)
        monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(tmp_path)
    own, other = (frame_at(str(folder / "shop" / "app.py"), 3) for folder in (source, installed))
    assert (str(own), own.origin) == ("src/shop/app.py:3", Origin.APPLICATION)
    assert (str(other), other.origin) == ("shop/app.py:3", Origin.LIBRARY)


def test_own_frames_are_those_of_one_package():
    frames = (Frame("werkzeug/http.py", 3, "parse"), Frame("shop/jobs.py", 41, "render"), Frame("shopping/a.py", 1, ""))
    assert own_frames(frames, "shop") == (frames[1],)


def test_tracing_that_somebody_else_began_goes_on():
    tracemalloc.start(1)
    try:
        with tracing(10):
            pass
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    with tracing(10):
        assert tracemalloc.get_traceback_limit() == 10
    assert not tracemalloc.is_tracing()


def frame_in_a_file_with(tmp_path, *, terms):
    file = tmp_path / "shop.py"
    lines = [
        "class Shop:",
        "    def upload(self):",
        "        def work():",
        "            return bytes(700_000)",
        "        return work()",
        r"DIGITS = '\d'  # a warning wherever it is compiled",
        "TOTAL = " + " + ".join(["1"] * terms),
    ]
    file.write_text("\n".join(lines))
    namespace = {}
    exec(compile("\n".join(lines[:5]), file, "exec"), namespace)
    with tracing(5):
        kept = namespace["Shop"]().upload()
        return str(allocated_at(kept)[0]).removeprefix(str(file))


@pytest.mark.parametrize("terms", [1, 1500])
def test_a_function_is_named_whatever_else_stands_in_its_file(tmp_path, terms):
    assert frame_in_a_file_with(tmp_path, terms=terms) == ":4 in Shop.upload.work"


def test_a_file_that_nests_too_deep_to_be_read_leaves_the_line(tmp_path):
    assert frame_in_a_file_with(tmp_path, terms=20_000).startswith(":4")
