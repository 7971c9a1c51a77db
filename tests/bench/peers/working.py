"""The job of a mode for a tool that works in its own process, and the answer that a runner prints."""

import itertools
import json
import os
import sys

from mode import mode_of
from serve import callable_of


def asked():
    """The key of the mode and the setting of the tool."""
    key, setting = sys.argv[1:]
    return key, json.loads(setting)


def job_of(key):
    """The mode's job without an argument: it counts by itself."""
    work, numbers = callable_of(mode_of(key).make()), itertools.count()

    def job():
        work(next(numbers))

    return job


def answer(*, leak, named, text=""):
    """Print what the tool says: whether there is a leak, the types that it names first, and all that it tells of them.

    What never ends has no need to end well.
    """
    print(json.dumps({"leak": leak, "named": list(named)[:3], "text": text[:20_000]}), flush=True)
    os._exit(0)
