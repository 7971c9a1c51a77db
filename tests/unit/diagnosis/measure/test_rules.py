from labserver.diagnosis.measure.heuristics import Coarseness
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.diagnosis.measure.rules import mapped_rules, rules_of


def test_fast_is_coarser():
    assert rules_of(MeasureOptions(fast=True), Coarseness()).tolerance == 512
    assert rules_of(MeasureOptions(fast=True, tolerance=4000.0), Coarseness()).tolerance == 4000


def test_what_is_read_in_pages_is_believed_less():
    options = MeasureOptions(tolerance=256.0)
    books, pages = (rules_of(options, Coarseness(), instrumented=known) for known in (True, False))
    mapped = mapped_rules(books, Coarseness())
    assert books.noise_bytes < mapped.noise_bytes < pages.noise_bytes
    assert (books.tolerance, mapped.tolerance) == (256, 1024)


def test_of_several_processes_the_noise_adds_up_and_each_has_its_share_of_the_jobs():
    one, four = (rules_of(MeasureOptions(), Coarseness(), processes=count) for count in (1, 4))
    assert four.noise_bytes == 2 * one.noise_bytes
    assert four.slowest_fill_jobs == 4 * one.slowest_fill_jobs
    assert four.tolerance == one.tolerance
