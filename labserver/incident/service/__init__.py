"""The system under study: a service that composes a face out of two photographs, job by job.

It imports none of the instruments, so that it can be measured like anybody else's service.
"""

from labserver.incident.service.app import create_app
from labserver.incident.service.memory import MemoryPool
from labserver.incident.service.runtime import Service
from labserver.incident.service.settings import Settings

__all__ = ["MemoryPool", "Service", "Settings", "create_app"]
