import tempfile
from pathlib import Path

import pytest

from labserver.incident.service.jobs import JobResult, JobState


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def files(folder):
    return [path.stat().st_size for path in folder.rglob("*") if path.is_file()]


def done(clock, size):
    return JobResult(JobState.DONE, bytes(size), None, clock())


def test_the_images_are_in_files_and_the_process_has_none(open_store, clock, folder):
    store = open_store("disk")
    assert list(folder.iterdir()) == []
    store.put("a", done(clock, 1000))
    assert files(folder) == [1000]
    assert store._jobs["a"].image is None
    assert store.get("a").image == bytes(1000)


def test_at_its_bound_the_first_that_finished_makes_room(open_store, clock, folder):
    store = open_store("disk", budget_bytes=250)
    store.put("failed", JobResult(JobState.FAILED, None, "No face.", clock()))
    for name in "abc":
        store.put(name, done(clock, 100))
    assert [store.get(name) is None for name in ["failed", "a", "b", "c"]] == [False, True, False, False]
    assert files(folder) == [100, 100]


def test_a_result_over_the_bound_fails_in_words(open_store, clock, folder):
    store = open_store("disk", budget_bytes=250)
    store.put("a", done(clock, 251))
    assert (store.get("a").state, "too large" in store.get("a").error) == (JobState.FAILED, True)
    assert files(folder) == []


def test_files_go_with_their_jobs_and_the_folder_with_the_store(open_store, clock, folder):
    store = open_store("disk", ttl_s=600)
    store.put("a", done(clock, 100))
    clock.now += 601
    assert store.sweep() == 1
    assert files(folder) == []
    store.put("b", done(clock, 100))
    store.close()
    assert list(folder.iterdir()) == []


def test_a_file_that_goes_while_it_is_asked_for_is_a_job_that_is_gone(open_store, clock, folder):
    store = open_store("disk")
    store.put("a", done(clock, 100))
    next(path for path in folder.rglob("*") if path.is_file()).unlink()
    assert store.get("a") is None


def test_a_write_that_fails_leaves_neither_file_nor_job(open_store, clock, folder, monkeypatch):
    store = open_store("disk")

    def fail(path, _data):
        path.touch()
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    store.put("a", JobResult(JobState.RUNNING, None, None, clock()))
    with pytest.raises(OSError, match="No space"):
        store.put("a", done(clock, 100))
    assert (store.get("a"), len(store), store.kept_bytes(), files(folder)) == (None, 0, 0, [])


def test_the_files_are_measured_by_the_file_system(open_store, clock, folder):
    store = open_store("disk")
    assert store.files_bytes() == 0
    store.put("a", done(clock, 1000))
    next(path for path in folder.rglob("*") if path.is_file()).write_bytes(bytes(10))
    assert (store.files_bytes(), store.kept_bytes()) == (10, 1000)
