import pytest

from labserver.durations import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("40", 40),
        ("40s", 40),
        (" 1.5 s", 1.5),
        ("250ms", 0.25),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86_400),
    ],
)
def test_a_plain_number_is_of_seconds_and_a_unit_says_otherwise(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1", "nan", "inf", "10 minutes", "1h30", "1e3", "10M", "9" * 400])
def test_anything_else_is_refused_with_what_to_write(text):
    with pytest.raises(ValueError, match="40s for seconds, 10m or 2h"):
        seconds_of(text)
