import pytest
from hypothesis import given
from hypothesis import strategies as st

from labserver.text import bound_units, formatted, harmless, number, one_line


@given(st.text())
def test_no_control_character_is_left(text):
    assert all(char.isprintable() or char in "\n\t" for char in harmless(text))
    assert "\n" not in one_line(text)


def test_words_of_any_language_stay_and_what_a_terminal_obeys_is_seen():
    assert harmless("\x1b[31m오류\x1b[0m: naïve\r\n\x1b]0;title\x07 \u202edrow") == "오류: naïve\n�]0;title� �drow"
    assert one_line("a\n  b\t") == "a b"


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (0.99, ".0%", "99 %"),
        (-3, "", "−3"),
        (-1234.5, ",.0f", "−1,234"),
        (-0.001, ".1f", "0.0"),
        (-0.0001, "+.1%", "+0.0 %"),
        (1e-05, ".4g", "1e-05"),
        ("a-b 9%", "", "a-b 9%"),
    ],
)
def test_a_formatted_number_has_a_minus_and_a_space_before_its_percent_sign(value, spec, text):
    assert formatted(value, spec) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (1000, "1,000"), (-8, "−8"), (336.021, "336"), (0.0123456, "0.01235"), (True, "True")],
)
def test_a_number_has_the_digits_that_say_something(value, text):
    assert number(value) == text


@pytest.mark.parametrize(("share", "text"), [(1, "100 %"), (0.1, "10 %"), (0.0013, "0.13 %"), (-0.125, "−12.50 %")])
def test_a_share_is_a_percentage(share, text):
    assert number(share, percent=True) == text


def test_a_number_stays_with_its_unit_and_with_no_other_word():
    assert (
        bound_units("4 B of 12 jobs, 99 % in 3 s, 5 Balls, 1.5 MiB")
        == "4\xa0B of 12 jobs, 99\xa0% in 3\xa0s, 5 Balls, 1.5\xa0MiB"
    )
