from dataclasses import replace

import pytest

from labserver.heap.heap_growth import WorkerGain
from labserver.report.by_process import lines_of, table_of, uneven_in_words
from labserver.report.terminal import render


@pytest.fixture
def shared(leak):
    """The same leak of four processes, and a second holder in one of them alone."""
    (holder,) = leak.holders
    gains = [WorkerGain(pid, items, 1_000 * items) for pid, items in [(4711, 58), (4712, 61), (4713, 65), (4714, 56)]]
    alone = [replace(one, items=200 * (one.pid == 4712)) for one in gains]
    return replace(leak, holders=(replace(holder, workers=tuple(gains)), replace(holder, workers=tuple(alone))))


def of(holder, *items):
    return replace(holder, workers=tuple(WorkerGain(11 + at, count, 0) for at, count in enumerate(items)))


def test_one_process_has_no_columns(leak):
    assert lines_of(leak, 80) == []
    assert table_of(leak) == ""


def test_each_process_has_a_column_and_who_stands_out_is_said(shared):
    assert lines_of(shared, 80) == [
        "items by process     4711  4712  4713  4714",
        "1. shop.STORE._jobs    58    61    65    56",
        "2. shop.STORE._jobs     0   200     0     0",
        "2. shop.STORE._jobs: uneven: process 4712 has 200 of the 200 items",
    ]
    assert "2. shop.STORE._jobs     0   200     0     0\n" in render(shared, 80)


def test_as_many_processes_are_shown_as_fit(shared):
    many = replace(shared, holders=(of(shared.holders[0], *[100] * 30),))
    for width in (80, 110):
        head, row = lines_of(many, width)
        assert len(head) <= width
        shown = row.count("100")
        assert head.endswith(f"and {30 - shown} more")
        assert shown > 5


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ((100, 100), ""),
        ((130, 70), ""),  # as connections fall
        ((0, 0), ""),
        ((9, 0), ""),  # so few say nothing
        ((200, 0), "uneven: process 11 has 200 of the 200 items"),
        ((0, 100, 110, 105), ""),  # the first may only have started the others
        ((100, 110, 3, 105), "uneven: process 13 has 3 of the 318 items"),
        ((2, 0, 480, 1), "uneven: process 13 has 480 of the 483 items"),
    ],
)
def test_uneven_is_what_no_chance_makes(shared, items, said):
    assert uneven_in_words(of(shared.holders[0], *items)) == said


def test_the_page_has_the_same_table(shared):
    page = table_of(shared)
    assert '<th scope="col">4711</th>' in page
    assert "<td>200</td>" in page
    assert "process 4712 has 200 of the 200 items." in page
    assert table_of(replace(shared, holders=(of(shared.holders[0], 1, 2),))).count("<tr>") == 2


def test_the_data_has_them_too(shared):
    assert shared.to_dict()["holders"][0]["workers"][0] == {"pid": 4711, "items": 58, "bytes": 58_000}
