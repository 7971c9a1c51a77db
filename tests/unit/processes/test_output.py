import os

from labserver.processes.output import Output


def test_what_is_written_from_now_on_is_overheard():
    output = Output()
    output.file.write(b"before\n")
    output.file.flush()
    since = output.overhear()
    assert since() == ""
    output.file.write(b"first \xff\n")
    output.file.flush()
    assert since() == "first \ufffd\n"
    output.file.write(b"x" * 2**20 + b"the end")
    output.file.flush()
    assert since().endswith("xthe end")
    assert len(since()) <= 2**18
    output.file.truncate(0)  # as when there was too much
    output.file.write(b"anew")
    output.file.flush()
    assert since() == "anew"
    output.close()


def test_what_a_process_writes_while_its_output_is_read_is_added_to_it():
    output = Output()
    other = os.dup(output.file.fileno())  # shares the position, as a process that was handed the file does
    os.write(other, b"first ")
    output.file.seek(0)
    os.write(other, b"second")
    assert output.last() == "; its last output: first second"
    os.close(other)
    output.close()


def test_the_last_words_are_the_last_lines_that_say_anything():
    output = Output()
    output.file.write(b"first\n\n  second \xff.\n\n")
    assert output.last() == "; its last output: second \N{REPLACEMENT CHARACTER}"
    assert output.last(lines=2) == "; its last output: first | second \N{REPLACEMENT CHARACTER}"
    output.close()
    assert output.last() == ""
