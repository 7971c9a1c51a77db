import pytest

from labserver.diagnosis import check


@pytest.fixture(autouse=True)
def nothing_expires(monkeypatch):
    """The jobs of these tests keep for ever what they keep: it need not be waited for."""
    monkeypatch.setattr(check, "_IDLE_S", 0.0)
