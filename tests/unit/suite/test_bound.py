import pytest

from labserver.errors import UsageError
from labserver.stats.interval import Interval
from labserver.suite.bound import Bound, Phrase, above, at_least, at_most, below, between, exactly, says, within


@pytest.mark.parametrize(
    ("bound", "sentence"),
    [
        (at_most(336.02, "half the median of the service"), "at most 336: half the median of the service"),
        (at_most(8), "at most 8"),
        (at_most(0.1, "in each case", percent=True), "at most 10 %: in each case"),
        (at_least(46, "one for each result"), "at least 46: one for each result"),
        (above(94_050.3, "half a result"), "above 94,050: half a result"),
        (below(-3), "below −3"),
        (between(0.75, 1.05), "from 0.75 to 1.05"),
        (between(-0.125, 0.125, percent=True), "within ±12.50 %"),
        (between(-1881.4, 1881.4, "1 % of a result", covers=0), "within ±1,881, covering 0: 1 % of a result"),
        (between(0.5, 2, "Poisson's spread", covers=1), "from 0.5 to 2, covering 1: Poisson's spread"),
        (within(0.25, 9.73, "arrivals − capacity"), "within 25 % of 9.73: arrivals − capacity"),
        (within(0.25, -8), "within 25 % of −8"),
        (exactly(40), "exactly 40"),
        (says("at most {share:.0%} of {most}", share=0.75, most=40), "at most 75 % of 40"),
    ],
)  # fmt: skip
def test_a_bound_is_a_sentence_and_survives_json(bound, sentence):
    assert str(bound) == sentence
    assert Bound.from_json(bound.as_json()) == bound


@pytest.mark.parametrize(
    ("bound", "keep", "break_it"),
    [
        (at_most(2), [2, -9], [2.1]),
        (at_least(2), [2, 9], [1.9]),
        (above(2), [2.1], [2, 1]),
        (below(2), [1.9], [2, 3]),
        (between(1, 2), [1, 1.5, 2], [0.9, 2.1]),
        (within(0.5, -2), [-3, -2, -1], [-3.1, -0.9, 2]),
        (exactly(2), [2, 2.0], [1, 3]),
    ],
)
def test_a_bound_decides(bound, keep, break_it):
    assert [bound.holds(value) for value in [*keep, *break_it, None]] == [True] * len(keep) + [False] * len(
        [*break_it, None]
    )


def test_an_interval_that_reaches_the_bound_is_not_inside_of_it():
    assert at_most(2).holds(Interval(1, 0, 1.9, 0.99))
    assert not at_most(2).holds(Interval(1, 0, 2, 0.99))
    assert at_most(2).undecided(Interval(1, 0, 2, 0.99))
    assert not at_most(2).undecided(Interval(3, 2, 4, 0.99))


def test_a_translation_has_the_same_arguments():
    phrase = Phrase("{share:.0%} of {path}", {"share": 0.5, "path": "a.{b}"})
    assert str(phrase) == "50 % of a.{b}"
    assert phrase.put_into("{path}의 {share}") == "a.{b}의 50 %"


@pytest.mark.parametrize("arguments", [{}, {"low": 1, "high": 2}, {"low": float("nan")}])
def test_a_form_names_its_arguments_and_no_others(arguments):
    with pytest.raises(UsageError):
        says("{low}", **arguments)


def test_a_finished_sentence_keeps_its_braces():
    assert str(Phrase.of_text("a {b} {0}")) == "a {b} {0}"
