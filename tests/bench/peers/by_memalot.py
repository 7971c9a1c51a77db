"""memalot's function-based discovery: objects that were created during a call and survive some more."""

# /// script
# dependencies = ["memalot"]
# [tool.peers]
# name = "memalot"
# settings = [{ jobs = 100, calls = 1 }, { jobs = 100, calls = 2 }, { jobs = 1000, calls = 2 }]
# ///

import tempfile
from pathlib import Path

from memalot import create_leak_monitor
from memalot.reports import get_report_reader
from working import answer, asked, job_of

NOISE = 0.005


def main():
    """Its types first, without a look at who refers to them; then one object of what is most, with its referrers.

    Its documentation calls that the efficient way. Types with fewer objects than one of two hundred jobs are taken for
    noise, which it reports too.
    """
    key, setting = asked()
    jobs, calls, job = setting["jobs"], setting["calls"], job_of(key)
    types = report(job, jobs, calls, check_referrers=False).leak_summary.type_summaries
    named = [each.object_type for each in sorted(types, key=lambda each: -each.count) if each.count >= NOISE * jobs]
    if not named:
        answer(leak=False, named=[])
    details = report(
        job, 20, calls, included_type_names={named[0]}, max_object_details=1, referrers_search_timeout=20.0
    ).object_details_list
    answer(leak=True, named=named, text="\n".join(map(str, details)))


def report(job, jobs, calls, **options):
    """The last of its reports."""
    with tempfile.TemporaryDirectory() as folder:
        monitor = create_leak_monitor(
            warmup_calls=1,
            max_object_age_calls=calls,
            report_directory=Path(folder),
            output_func=lambda _: None,
            **options,
        )
        for _ in range(1 + calls):
            with monitor:
                for _ in range(jobs):
                    job()
        reader = get_report_reader(Path(folder))
        name = reader.get_report_summaries()[0].metadata.report_id
        return reader.get_full_report(name, num_iterations=1).iterations[-1]


if __name__ == "__main__":
    main()
