import pytest

from labserver.amounts import count, duration, number, percent, size, unit_of


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 B"), (-0.4, "0 B"), (9_999, "9,999 B"), (48_029_520, "48,029,520 B (45.8 MiB)")]
)
def test_sizes_are_exact_with_a_handier_figure_beside(value, text):
    assert size(value) == text


def test_negative_figures_have_a_minus_sign():
    assert number(-1234.5) == "−1,234"
    assert size(-20_480) == "−20,480 B (−20.0 KiB)"
    assert percent(-0.021) == "−2.1 %"


@pytest.mark.parametrize(
    ("share", "text"), [(1, "100 %"), (0.9999, "99.9 %"), (0.5, "50 %"), (0.0004, "<0.1 %"), (0, "0 %")]
)
def test_what_is_not_all_is_never_rounded_up_to_it(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(("many", "text"), [(0, "0 holders"), (1, "1 holder"), (1200, "1,200 holders")])
def test_one_is_not_several(many, text):
    assert count(many, "holder") == text


@pytest.mark.parametrize(("many", "text"), [(1, "1 entry"), (300, "300 entries")])
def test_the_plural_is_spelt_as_the_noun_asks(many, text):
    assert count(many, "entry") == text


@pytest.mark.parametrize(
    ("value", "unit"), [(0, (1, "B")), (-2048, (1024, "KiB")), (2**40, (2**40, "TiB")), (2**55, (2**40, "TiB"))]
)
def test_a_unit_is_the_largest_that_there_is_one_of(value, unit):
    assert unit_of(value) == unit


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.44, "0.4 s"),
        (3, "3 s"),
        (9.96, "10 s"),
        (45, "45 s"),
        (59.7, "1 min"),
        (580, "9 min 40 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (109_800, "1 d 6 h"),
        (172_799, "2 d"),
        (1e9, "11,574 d"),
    ],
)
def test_times_have_their_two_largest_units(seconds, text):
    assert duration(seconds) == text
