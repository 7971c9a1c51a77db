import pytest

from labserver.diagnosis.fact import (
    Fact,
    FailedKind,
    FoundKind,
    Note,
    NoteKind,
    PartKind,
    Reason,
    ReasonKind,
    State,
    said,
)
from labserver.diagnosis.sentences import sentence

ARGUMENTS = {
    "processes": 2,
    "pids": "4711, 4712",
    "entries": 1500,
    "most": 900,
    "tolerance": 256.0,
    "option": "--max-jobs",
    "value": 9000,
    "although": Fact(PartKind.ALTHOUGH, {"by": "Cache.set (shop.py:3)"}),
    "by": "module shop → CACHE",
    "path": "module shop → {STORE}",
    "items": 1200,
    "jobs": 3400,
    "item_bytes": 15_000.4,
    "bound": 9000,
    "floors": 4,
    "least": 9,
    "seconds": 2.6,
    "failed": 3,
    "share": 0.012,
    "why": "it broke",
    "threads": 7,
    "frames": 10,
    "reason": Reason(ReasonKind.FILLS),
    "text": "As it was said.",
    "per_job": 1200.4,
    "at_most": 1000,
    "type": "bytes",
    "objects": 5600,
    "bytes": 78_000,
    "line": "shop.py:3 in work",
    "at": Fact(FoundKind.AT, {"line": "shop.py:3 in work"}),
    "freed": "",
    "owner": "",
    "raised": "",
    "extensions": "",
    "tried": "",
    "running": "",
    "started": "",
    "beside": "",
    "held": "",
    "function": "Session.run",
    "place": Fact(FoundKind.PLACE, {"line": "shop.py:12"}),
    "nearest": "lxml.etree by parse (shop.py:7)",
    "name": "lxml.etree",
    "next": "",
    "spare": 78_000,
    "until": "2030-01-31",
    "thinks": Fact(PartKind.THINKS, {"bytes": 78_000}),
    "looks": 120,
    "every": 5.0,
    "stall_ms": 4.24,
    "most_ms": 31.0,
    "allowed_ms": 20.0,
    "times": 2,
    "limit": "RLIMIT_AS",
    "used": 39_000,
    "hours": 30.5,
    "low": 25.0,
    "high": 39.75,
    "span": Fact(PartKind.BETWEEN, {"low": 25.0, "high": 39.75}),
}


@pytest.mark.parametrize("kind", [*ReasonKind, *NoteKind], ids=repr)
def test_every_fact_has_words_and_a_note_is_a_sentence(kind):
    words = sentence(Fact(kind, ARGUMENTS))
    assert "{" not in words.replace(ARGUMENTS["path"], "")
    assert words.endswith(".") == isinstance(kind, NoteKind)


WORDS = {
    FoundKind.C_HELD: "1,200 B/job are kept by references from C code: 1,200 × bytes that no module, frame or object "
    "is seen to refer to, by way of module shop → {STORE}.",
    FoundKind.CYCLES: "1,200 B/job wait in cycles that a collection did not free: 5,600 objects.",
    FoundKind.CYCLES_UNCOLLECTED: "The collector is switched off: 1,200 B/job wait in cycles, allocated at shop.py:3 "
    "in work; gc.collect() freed 5,600 objects.",
    FoundKind.NATIVE: "1,200 B/job are taken from the C library by native code, where no tracing sees them.",
    FoundKind.UNEXPLAINED: "1,200 B/job have no holder that can be reached from a module or a running frame, allocated "
    "at shop.py:3 in work.",
    FoundKind.THREADS: "7 threads were started by 3,400 jobs and still run, each with its stack and what it refers to.",
    FoundKind.LOST_REFERENCE: "1,200 B/job are 1,200 × bytes that nothing in memory refers to: an extension has "
    "probably lost count of a reference, allocated at shop.py:3 in work.",
    FoundKind.RUNNING: " Session.run (shop.py:12)",
    FoundKind.PLACE: " (shop.py:3 in work)",
    FoundKind.STARTED: ", started at shop.py:3 in work,",
    FoundKind.BESIDE: " 7 more run something else.",
    FoundKind.HELD: " They hold 1,200 B/job.",
    FoundKind.RAISED: ", raised in module shop → CACHE,",
    FoundKind.EXTENSIONS: " The extension modules that the application calls, the nearest first: lxml.etree by parse "
    "(shop.py:7).",
    FoundKind.EXTENSION: "lxml.etree by module shop → CACHE",
    FoundKind.THEN: "; ",
    FoundKind.TRIMMED: " It is no fragmentation: bytes in use are counted, not the pages that allocators keep. "
    "malloc_trim(0) was called before each floor; the 76.2 KiB that the C library's arenas keep of freed memory are "
    "not counted.",
    FoundKind.IN_USE: " It is no fragmentation: bytes in use are counted, not the pages that allocators keep.",
    FoundKind.AT: ", allocated at shop.py:3 in work",
    FoundKind.FREED: " and 78,000 B",
    FoundKind.OWNER: " The 1,200 × bytes that module shop → {STORE} leads to came with the jobs and may own them.",
}
PARTS = {
    PartKind.ALTHOUGH: ", although module shop → CACHE can remove some",
    PartKind.UNSEEN: "; the code that could remove some was not all to be seen",
    PartKind.BY: ", the largest part of it in module shop → {STORE}",
    PartKind.THINKS: ", of which it counts 76.2 KiB",
    PartKind.NOBODY: "",
    PartKind.OUT_BY: ", although module shop → CACHE can take something out",
    PartKind.NOT_SEEN: "; not all code around it could be read",
    PartKind.BETWEEN: " (1 d 1 h to 1 d 16 h)",
    PartKind.AT_LEAST: " (1 d 1 h at least)",
}
STATES = {
    State.NEW: "new: the baseline does not accept it",
    State.ACCEPTED: "accepted until 2030-01-31: ticket 7",
    State.EXPIRED: "expired: was accepted until 2030-01-31 (ticket 7)",
    State.GROWN: "grown: 1,200 B/job, accepted up to 1,000 (ticket 7)",
}
FAILED = {
    FailedKind.EVERY: "Every job failed: it broke.",
    FailedKind.EVERY_MEASURED: "Every measured job failed: it broke.",
    FailedKind.ONE: "A job failed: it broke.",
    FailedKind.NOTHING_SAYS_WHY: "nothing says why",
}


@pytest.mark.parametrize("kind", PartKind)
def test_what_a_part_of_a_note_tells(kind):
    assert sentence(Fact(kind, ARGUMENTS)) == PARTS[kind]


@pytest.mark.parametrize("kind", FoundKind)
def test_what_a_finding_tells(kind):
    assert sentence(Fact(kind, ARGUMENTS)) == WORDS[kind]


def test_threads_are_told_with_what_they_run_and_where_they_were_started():
    running = Fact(FoundKind.RUNNING, ARGUMENTS)
    started = Fact(FoundKind.STARTED, {"line": "shop.py:30 in work"})
    words = sentence(Fact(FoundKind.THREADS, ARGUMENTS | {"running": running, "started": started}))
    assert words.startswith(
        "7 threads Session.run (shop.py:12), started at shop.py:30 in work, were started by 3,400 jobs and still run"
    )


def test_extensions_stand_in_a_row():
    second = Fact(FoundKind.EXTENSION, {"name": "_ssl", "by": "call (shop.py:9)", "next": ""})
    first = {"name": "lxml.etree", "by": "parse (shop.py:7)", "next": Fact(FoundKind.THEN, {"next": second})}
    assert sentence(Fact(FoundKind.EXTENSION, first)) == "lxml.etree by parse (shop.py:7); _ssl by call (shop.py:9)"


@pytest.mark.parametrize("state", State)
def test_how_a_part_stands_to_a_baseline(state):
    assert sentence(Fact(state, ARGUMENTS | {"reason": "ticket 7"})) == STATES[state]


@pytest.mark.parametrize("kind", FailedKind)
def test_which_jobs_failed(kind):
    assert sentence(Fact(kind, ARGUMENTS)) == FAILED[kind]


def test_a_fact_is_json_with_those_that_are_part_of_it():
    undecided = Note(NoteKind.UNDECIDED, {"jobs": 9, "reason": Reason(ReasonKind.NOT_FULL, {"path": "a", "bound": 5})})
    assert undecided.to_dict() == {
        "kind": "undecided",
        "jobs": 9,
        "reason": {"kind": "not-full", "path": "a", "bound": 5},
    }


def test_a_reason_and_a_note_of_one_name_are_told_apart():
    assert sentence(Reason(ReasonKind.FEW_JOBS)) == "too few jobs were run"
    assert sentence(Note(NoteKind.FEW_JOBS)).startswith("In so few jobs")


def test_figures_are_grouped_and_rounded():
    gained = "module shop → {STORE} gained 1,200 items of 15,000 B in 3,400 jobs."
    assert sentence(Note(NoteKind.GAINED, ARGUMENTS)) == gained
    failed = "3 of 3400 jobs failed (1.2 %): it broke."
    assert sentence(Note(NoteKind.JOBS_FAILED, ARGUMENTS)) == failed
    wait = "memory goes down again within 3 s without load: give --settle 3 or more"
    assert sentence(Reason(ReasonKind.EXPIRES, ARGUMENTS)) == wait


def test_times_have_their_two_largest_units():
    assert sentence(Note(NoteKind.LOOKED, ARGUMENTS)) == (
        "Looked 120 times, every 5 s: 1.2 % of one core; a look held the process up for 4.2 ms, 31.0 ms at most, of "
        "the 20 ms that are allowed."
    )
    assert sentence(Note(NoteKind.FORECAST, ARGUMENTS)) == (
        "At this pace the process reaches RLIMIT_AS (76.2 KiB, of which 38.1 KiB are in use) in 1 d 6 h (1 d 1 h to "
        "1 d 16 h)."
    )


@pytest.mark.parametrize(("items", "words"), [(1, "1 item by"), (1200, "1,200 items by")])
def test_one_is_not_several(items, words):
    assert words in sentence(Note(NoteKind.MOST_HELD, ARGUMENTS | {"items": items}))


def test_a_fact_may_be_part_of_another():
    undecided = sentence(Note(NoteKind.UNDECIDED, ARGUMENTS))
    assert undecided == "Undecided after 3400 jobs: a cache is filling up to its bound."


def test_what_others_say_is_no_form():
    assert sentence(*said("100 % of {them}")) == "100 % of {them}"


def test_a_long_path_is_told_by_its_ends():
    long = "module shop → application → Flask.view_functions → ['…'] → closure work → closure cache → Cache.entries"
    filled = "module shop → … → closure cache → Cache.entries was filled up to its bound of 9,000 "
    assert sentence(Note(NoteKind.FILLED, ARGUMENTS | {"path": long})).startswith(filled)
    assert Note(NoteKind.FILLED, {"path": long}).to_dict()["path"] == long
    keys = "module shop → application → Flask.extensions → ['shop'] → Machine.models → […] → Order.trigger"
    gained = "module shop → … → Machine.models → […] → Order.trigger gained"
    assert sentence(Note(NoteKind.GAINED, ARGUMENTS | {"path": keys})).startswith(gained)
    short = "module shop → CACHE → Cache.entries"
    assert sentence(Note(NoteKind.FILLED, ARGUMENTS | {"path": short})).startswith(f"{short} was filled")
