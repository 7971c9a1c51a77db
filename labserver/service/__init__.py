"""The system under study: a service that composes a face out of two photographs, job by job.

It imports none of the instruments, so that it can be measured like anybody else's service.
"""

from labserver.service.app import create_app
from labserver.service.memory import MemoryPool
from labserver.service.runtime import Service
from labserver.service.settings import Settings

__all__ = ["MemoryPool", "Service", "Settings", "create_app"]
