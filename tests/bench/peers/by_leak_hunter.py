"""python-leak-hunter's `measure_growth`, and `why_alive` of what it suspects."""

# /// script
# dependencies = ["python-leak-hunter"]
# [tool.peers]
# name = "python-leak-hunter"
# settings = [
#   { iterations = 30, trace = false },
#   { iterations = 2000, trace = false },
#   { iterations = 300, trace = true },
#   { iterations = 2000, trace = true },
# ]
# ///

from leak_hunter import measure_growth, why_alive
from working import answer, asked, job_of


def main():
    """With `trace`, a line that still holds a block for every other call counts as a leak too, as the types do."""
    key, setting = asked()
    trace, iterations = setting["trace"], setting["iterations"]
    report = measure_growth(job_of(key), iterations=iterations, warmup=250, trace_allocations=trace)
    lines = [site for site in report.allocations if site.blocks >= iterations / 2]
    text = report.format(limit=3)
    if report.suspect is not None:
        text += "\n" + why_alive(report.suspect).format()
    answer(leak=report.leaked or bool(lines), named=[growth.type_name for growth in report.growing], text=text)


if __name__ == "__main__":
    main()
