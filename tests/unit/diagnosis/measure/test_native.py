import pytest

from labserver.diagnosis.measure.native import meter_of, native_interval
from labserver.stats.interval import Interval


def whole(estimate):
    return Interval(estimate, estimate - 10, estimate + 10, 0.99)


def test_native_is_what_is_more_than_python_has():
    native = native_interval(whole(3000), jobs=350, objects_per_job=1000.0)
    assert native.estimate == pytest.approx(2000)
    assert 2000 in native
    assert 0 not in native


def test_an_images_pixels_are_native_though_an_object_owns_them():
    native = native_interval(whole(3000), jobs=350, objects_per_job=3000.0, traced_share=0.1)
    assert 2700 in native
    assert 0 not in native


def test_a_traced_pass_in_which_little_came_makes_no_objects_native():
    """Where one job in a hundred leaves something, fifty may leave nothing, and five hundred half of it."""
    for share in (None, 1.0, 0.9, 1.2):
        native = native_interval(
            whole(3000), jobs=350, objects_per_job=2990.0, traced_per_job=200.0, traced_share=share
        )
        assert 0 in native


def test_what_tracing_brings_is_not_taken_for_the_applications():
    native = native_interval(whole(3000), jobs=350, objects_per_job=2990.0, traced_share=1.05)
    assert 0 in native
    assert 0 in native_interval(whole(3000), jobs=350, objects_per_job=2990.0, traced_share=0.9)


def test_without_either_nobody_knows():
    assert native_interval(whole(3000), jobs=350, objects_per_job=None) is None


@pytest.mark.parametrize("python", [-500.0, 0.0, 4.0, 2990.0])
def test_a_part_is_not_larger_than_its_whole(python):
    native, all_of_it = native_interval(whole(3000), jobs=350, objects_per_job=python), whole(3000)
    assert native.estimate <= all_of_it.estimate
    assert native.low <= native.estimate <= native.high <= all_of_it.high


@pytest.mark.parametrize(
    ("python", "native", "meter"), [(2000, 0, "traced"), (10, 2000, "native"), (2000, 2000, "both")]
)
def test_the_meter_is_what_carries_the_leak(python, native, meter):
    one = Interval(native, native - 30, native + 30, 0.99)
    assert meter_of(whole(python + native), one, 256, "both") == meter


def test_the_meter_stays_what_it_was_where_nobody_knows():
    assert meter_of(whole(2000), None, 256, "traced") == "traced"
