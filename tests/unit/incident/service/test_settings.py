import dataclasses

import pytest

from labserver.errors import UsageError
from labserver.incident.service.settings import Settings

NUMBERS = [field.name for field in dataclasses.fields(Settings) if field.type in (int, float)]


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


@pytest.mark.parametrize("name", ["service_time_s", "face_timeout_s"])
def test_no_wait_is_longer_than_a_thread_can_wait(name):
    assert getattr(Settings(**{name: 86_400}), name) == 86_400
    with pytest.raises(UsageError, match=rf"{name}=1e\+300 .* to 86400.0"):
        Settings(**{name: 1e300})


def test_whole_seconds_are_seconds_too():
    assert Settings(ttl_s=10, service_time_s=0).ttl_s == 10


def test_an_unknown_store_brings_the_nearest_and_all_known_names():
    with pytest.raises(UsageError, match=r"'tll' .* did you mean 'ttl'\? Known are byte-budget, .*, leaky, .*weak"):
        Settings(store="tll")


def test_a_store_that_is_no_text_is_refused_in_words():
    with pytest.raises(UsageError, match="not a known store"):
        Settings(store=["ttl"])


def test_a_switch_is_on_or_off():
    with pytest.raises(UsageError, match="public_diagnostics='yes' must be True or False"):
        Settings(public_diagnostics="yes")


@pytest.mark.parametrize("url", ["127.0.0.1:8001", "ftp://host", "http://", 7])
def test_a_face_api_needs_an_address(url):
    with pytest.raises(UsageError, match=r"face_api=.* no address"):
        Settings(face_api=url)
