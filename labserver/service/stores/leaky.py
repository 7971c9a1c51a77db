"""The incident: results are put into the map, and nothing ever takes them out."""

from labserver.service.stores.base import DictJobStore


class LeakyJobStore(DictJobStore):
    """Keeps every job until the process ends, fetched or not."""

    def sweep(self) -> int:
        """Remove nothing: that is the defect under study."""
        return 0
