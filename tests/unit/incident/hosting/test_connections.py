import resource

import pytest

from labserver.incident.hosting.connections import most_connections


@pytest.mark.parametrize(
    ("descriptors", "most"), [(64, 32), (200, 100), (1024, 896), (20_000, 10_000), (resource.RLIM_INFINITY, 10_000)]
)
def test_connections_leave_descriptors_to_the_process(monkeypatch, descriptors, most):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, resource.RLIM_INFINITY))
    assert most_connections() == most
