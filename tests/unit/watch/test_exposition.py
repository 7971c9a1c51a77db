from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from labserver.watch.exposition import parse, total

NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True)
LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True),
    st.text(st.sampled_from('aé "\\,{}=#'), max_size=6),
    max_size=3,
)
VALUES = st.floats(allow_nan=False)


def written(name, labels, value):
    escaped = {key: text.replace("\\", r"\\").replace('"', r"\"") for key, text in labels.items()}
    inside = ",".join(f'{key}="{text}"' for key, text in escaped.items())
    return f"{name}{{{inside}}} {value}" if labels else f"{name} {value}"


@settings(deadline=None, database=None)
@given(st.lists(st.tuples(NAMES, LABELS, VALUES), min_size=1, max_size=4))
def test_a_page_is_read_as_prometheus_own_client_reads_it(samples):
    page = "".join(written(*sample) + "\n" for sample in samples)
    theirs = [s for family in text_string_to_metric_families(page) for s in family.samples]
    assert [(v.name, v.labels, v.value) for v in parse(page)] == [(s.name, s.labels, s.value) for s in theirs]


def test_micrometers_trailing_comma_and_a_timestamp_are_read():
    page = 'jvm_memory_used_bytes{area="heap",id="G1 Eden Space",} 2.5E7 1700000000000'
    assert parse(page)[0].labels == {"area": "heap", "id": "G1 Eden Space"}
    assert parse(page)[0].value == 2.5e7


def test_escapes_are_undone():
    assert parse(r'm{path="C:\\new \"x\"",lines="a\nb"} 1')[0].labels == {"path": 'C:\\new "x"', "lines": "a\nb"}


def test_a_bad_line_does_not_cost_the_page():
    page = '# HELP a b\na 1\nb{ 2\n<html>\nc{x="1"} much\ne5\nd 4\n'
    assert [(value.name, value.value) for value in parse(page)] == [("a", 1), ("d", 4)]


def test_values_are_summed_by_label_and_what_is_missing_is_none():
    values = parse('m{area="heap",id="a"} 1\nm{area="heap",id="b"} 2\nm{area="nonheap",id="c"} 4\n')
    assert total(values, "m", area="heap") == 3
    assert total(values, "m", area="other") is None


def test_a_broken_line_of_many_labels_costs_no_time():
    labels = "  ".join(f'label{number}="x"' for number in range(60))
    assert parse(f"m{{{labels} 1\nd 4") == parse("d 4")
