from labserver.diagnosis.result import CheckResult
from labserver.diagnosis.verdict import Verdict
from labserver.incident.experiments.own_service.figures import floors_by_service
from labserver.incident.experiments.own_service.tables import answers
from labserver.stats.interval import Interval


def result(name, verdict, per_job, floors=8):
    interval = Interval(per_job, per_job - 50, per_job + 50, 0.99) if floors > 2 else None
    points = tuple((50 * i, 10_000_000 + int(50 * i * per_job)) for i in range(floors))
    return CheckResult(name, verdict, interval, 256, "both", 350, 9.0, 0, points)


RESULTS = {
    "leaky": result("shop:app", Verdict.LEAK, 2000.0),
    "clean": result("quiet:app", Verdict.NO_LEAK, 3.0),
    "unsure": result("slow:app", Verdict.INCONCLUSIVE, 0.0, floors=0),
}


def test_one_panel_a_service_and_none_finer_than_the_tolerance():
    figure = floors_by_service(RESULTS)
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in shown] == [
        "leaky: leak, 2,000 B/job",
        "clean: less than 53 B/job",
        "unsure: inconclusive",
    ]
    assert shown[1].get_ylim()[1] >= 256 * 350 / 1000
    assert shown[0].get_ylim()[1] > 600


def test_the_table_has_a_row_a_service():
    lines = answers(RESULTS).splitlines()
    assert len(lines) == 2 + len(RESULTS)
    assert lines[2].endswith("| — | — |")
    assert lines[2].startswith("| `leaky` | leak | 2,000 B/job (1,950 to 2,050, ")
