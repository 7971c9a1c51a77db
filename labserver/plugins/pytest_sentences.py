"""The English of a suite's leak checks: why a test has no verdict, and a session in one line."""

from collections.abc import Sequence

from labserver.amounts import count, number
from labserver.plugins.pytest_judgement import Answer, Judgement, Why, WhyKind

WORDS = {
    Answer.LEAK: "LEAK",
    Answer.INCONCLUSIVE: "UNDECIDED",
    Answer.NOT_JUDGED: "NOT JUDGED",
    Answer.NO_LEAK: "NO LEAK",
}
_WHY = {
    WhyKind.UNDECIDED: "{text}",
    WhyKind.FAILS_AGAIN: "It passes once, but cannot be repeated: the {step} of another run ends at {where}: {text}",
    WhyKind.FAILS_WITH_SHARED_FIXTURES: (
        "It passes once, but cannot be repeated with its fixtures set up once: the {step} of another run ends at "
        "{where}: {text}. Try --leak-check-fixtures each."
    ),
    WhyKind.SLOW: (
        "A run takes {seconds:.2g} s: {fits} fit into {limit:g} s, and fewer than {least} say nothing. Give it "
        "--leak-check-seconds {needed:.0f}."
    ),
    WhyKind.REPORTS_ITSELF: "It has subtests, which pytest would report again for every run.",
    WhyKind.CANNOT_CHECK: "{text}",
    WhyKind.FIXTURES_ONCE: (
        "{holder} grows only because the test is repeated with its fixtures set up once: try --leak-check-fixtures "
        "each."
    ),
    WhyKind.MOCK_CALLS: "{holder} grows only because a mock that outlives the test records every call.",
    WhyKind.PYTEST_KEEPS: "{holder} grows only because pytest, or a plugin of it, notes every run.",
}


def why_sentence(why: Why) -> str:
    """Why a test has no verdict."""
    return _WHY[why.kind].format(**why.arguments)


def leak_sentence(judgement: Judgement) -> str:
    """What a test keeps, in the line that pytest's summary has for a failure."""
    by = f", held by {judgement.holder}" if judgement.holder else ""
    kept = "memory" if judgement.estimate is None else f"{number(judgement.estimate)} B"
    return f"LEAK: keeps {kept} of every run{by}"


def session_sentence(judgements: Sequence[Judgement]) -> str:
    """A session in one line: `1 leaks, 2 are undecided, 1 is not judged, 40 keep nothing; 85 s`."""
    if not judgements:
        return "No test was checked: none passed of those that were wanted."
    by = {answer: sum(one.answer is answer for one in judgements) for answer in Answer}
    told = [
        (by[Answer.LEAK], "leaks", "leak"),
        (by[Answer.INCONCLUSIVE], "is undecided", "are undecided"),
        (by[Answer.NOT_JUDGED], "is not judged", "are not judged"),
        (by[Answer.NO_LEAK], "keeps nothing", "keep nothing"),
    ]
    parts = ", ".join(f"{many:,} {one if many == 1 else several}" for many, one, several in told if many)
    seconds = sum(judgement.seconds for judgement in judgements)
    return f"Of {count(len(judgements), 'check')}, {parts}; {seconds:.0f} s."
