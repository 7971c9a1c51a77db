import io

import pytest
from rich.console import Console
from rich.live import Live

from labserver.cli._check_progress import _LiveLines, _PlainLines, band
from labserver.diagnosis.measure.options import CheckProgress
from labserver.stats.interval import Interval

SURE = Interval(1000.0, 990.0, 1010.0, 0.99)


def test_a_pipe_gets_a_line_at_each_phase(capsys):
    show = _PlainLines()
    for phase, jobs in (("warming up", 0), ("warming up", 5), ("measuring", 0), ("measuring", 50)):
        show(CheckProgress(phase, jobs, 2.0))
    assert capsys.readouterr().err == "2 s: warming up, 0 jobs\n2 s: measuring, 0 jobs\n"
    assert show.last.jobs == 50


def test_a_terminal_sees_the_estimate():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with Live(console=console, auto_refresh=False) as live:
        show = _LiveLines(live, 256)
        show(CheckProgress("measuring", 1050, 7.0, SURE))
        live.refresh()
    written = console.file.getvalue()
    assert "1,050 jobs" in written
    assert "1,000 B/job (990 to 1,010, 99 %)" in written


@pytest.mark.parametrize(
    ("low", "high", "colour"), [(400, 600, "red"), (-40, 40, "green"), (100, 900, "yellow"), (0, 0, "green")]
)
def test_the_band_shows_on_which_side_of_the_tolerance_it_lies(low, high, colour):
    line = band(low, high, 256)
    assert len(line) == 40
    assert colour in {str(part.style) for part in line.spans}
    where = [at for at, cell in enumerate(line.plain) if cell == "━"]
    stroke = line.plain.index("┃")
    if colour == "red":
        assert min(where) > stroke
    if colour == "green":
        assert max(where) < stroke
    if colour == "yellow":
        assert min(where) < stroke < max(where)


def test_the_band_narrows_with_the_interval():
    wide, narrow = (band(500 - half, 500 + half, 256).plain.count("━") for half in (200, 20))
    assert wide > 3 * narrow
