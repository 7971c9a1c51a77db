import traceback

from hypothesis import given
from hypothesis import strategies as st

from labserver.diagnosis.fact import FailedKind
from labserver.diagnosis.failure import Failure, JobsFailed, end_of, has_traceback

HEADER = "Traceback (most recent call last):"


def printed(error, depth=1):
    def fail(left):
        if left:
            fail(left - 1)
        raise error

    try:
        fail(depth)
    except type(error):
        return traceback.format_exc()


def test_a_traceback_is_found_among_what_else_was_logged():
    log = f"GET /work\n[2026-11-29] ERROR in app: Exception on /work [GET]\n{printed(KeyError('DSN'))}\nGET /work 500\n"
    lines = end_of(log)
    assert lines[0] == HEADER
    assert lines[1].startswith('  File "')
    assert lines[-1] == "KeyError: 'DSN'"
    assert has_traceback(log)


def test_the_last_of_several_is_shown():
    assert end_of(printed(KeyError("first")) + printed(KeyError("second")))[-1] == "KeyError: 'second'"


def test_of_a_chain_the_error_that_came_out_is_shown():
    error = RuntimeError("came out")
    error.__cause__ = KeyError("cause")
    lines = end_of(printed(error))
    assert lines[-1] == "RuntimeError: came out"
    assert not any("cause" in line for line in lines)


GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "a.py", line 1, in serve
  | ExceptionGroup: errors in a group (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "a.py", line 2, in work
    |     connect()
    | ValueError: no such setting
    +------------------------------------
"""


def test_of_a_group_the_inner_error_is_shown_without_its_frame():
    assert end_of(GROUP)[:4] == (
        HEADER,
        '  File "a.py", line 2, in work',
        "    connect()",
        "ValueError: no such setting",
    )


def test_a_message_of_several_lines_is_kept_up_to_a_blank_one():
    lines = end_of(printed(ValueError("1 error for Settings\ndsn\n  Field required")) + "\nserving on\n")
    assert lines[-3:] == ("ValueError: 1 error for Settings", "dsn", "  Field required")


def test_a_deep_traceback_keeps_its_end_without_the_marks_below_its_code():
    frames = [f'  File "a.py", line {number}, in f\n    g()\n    ~^^\n' for number in range(30)]
    lines = end_of(f"{HEADER}\n{''.join(frames)}ValueError: deep\n")
    assert len(lines) == 16
    assert (lines[0], lines[-1]) == ("…", "ValueError: deep")
    assert lines[-3:-1] == ('  File "a.py", line 29, in f', "    g()")


def test_a_line_without_end_has_one():
    assert end_of("x" * 10_000) == ("x" * 200,)


def test_without_a_traceback_the_last_lines_are_shown():
    assert end_of("\n".join(f"line {number}\n" for number in range(9))) == tuple(f"line {n}" for n in range(4, 9))
    assert end_of(" \n\n") == ()


@given(st.text(alphabet=st.sampled_from("ab\n |+^~\x1b[31m") | st.characters()), st.integers(0, 3))
def test_whatever_is_printed_the_end_is_short_and_harmless(text, tracebacks):
    lines = end_of(text.join([HEADER] * (tracebacks + 1)) if tracebacks else text)
    assert len(lines) <= 16
    assert all(len(line) <= 200 for line in lines)
    assert all(char.isprintable() or char == "\t" for line in lines for char in line)


def test_the_error_is_one_sentence():
    failure = Failure("GET / answered 500", output=(HEADER,))
    assert str(JobsFailed(FailedKind.EVERY, failure)) == "Every job failed: GET / answered 500."
    assert str(JobsFailed(FailedKind.EVERY, None)) == "Every job failed: nothing says why."
