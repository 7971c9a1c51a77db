"""The incident: results are put into the map, and nothing ever takes them out.

Promises: no result is ever lost. Does not promise: any bound, in time or in bytes.
"""

from labserver.incident.service.stores.base import DictJobStore


class LeakyJobStore(DictJobStore):
    """Keeps every job until the process ends, fetched or not: that is the defect under study."""
