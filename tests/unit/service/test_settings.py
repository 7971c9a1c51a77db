import dataclasses

import pytest

from labserver.errors import UsageError
from labserver.service.settings import Settings

NUMBERS = [field.name for field in dataclasses.fields(Settings) if field.name != "store"]


def test_the_defaults_are_the_incidents_figures():
    settings = Settings()
    assert (settings.store, settings.ttl_s, settings.sweep_s) == ("leaky", 600.0, 60.0)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "4", None, True])
def test_refuses_what_is_no_sensible_number_and_names_the_field(name, value):
    with pytest.raises(UsageError, match=rf"{name}=.* must be"):
        Settings(**{name: value})


@pytest.mark.parametrize("name", ["workers", "queue_size", "result_px", "max_upload_bytes", "max_pixels"])
@pytest.mark.parametrize("value", [0, 1.5])
def test_counts_are_whole_and_positive(name, value):
    with pytest.raises(UsageError, match=f"{name}={value!r} .* a whole number from"):
        Settings(**{name: value})


def test_whole_seconds_are_seconds_too():
    assert Settings(ttl_s=10, service_time_s=0).ttl_s == 10


def test_an_unknown_store_brings_the_nearest_and_all_known_names():
    with pytest.raises(UsageError, match=r"'tll' .* did you mean 'ttl'\? Known are leaky, .*ttl"):
        Settings(store="tll")


def test_a_store_that_is_no_text_is_refused_in_words():
    with pytest.raises(UsageError, match="not a known store"):
        Settings(store=["ttl"])
