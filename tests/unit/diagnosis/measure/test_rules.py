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
