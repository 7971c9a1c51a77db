from hypothesis import given
from hypothesis import strategies as st

from labserver.text import harmless, one_line


@given(st.text())
def test_no_control_character_is_left(text):
    assert all(char.isprintable() or char in "\n\t" for char in harmless(text))
    assert "\n" not in one_line(text)


def test_words_of_any_language_stay_and_what_a_terminal_obeys_is_seen():
    assert harmless("\x1b[31m오류\x1b[0m: naïve\r\n\x1b]0;title\x07 \u202edrow") == "오류: naïve\n�]0;title� �drow"
    assert one_line("a\n  b\t") == "a b"
