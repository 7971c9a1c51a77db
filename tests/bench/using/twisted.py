"""Its reactor in a thread, and a deferred answer."""

# /// script
# dependencies = ["twisted"]
# [tool.libraries]
# kind = "event loop, threads"
# ///

import threading

from twisted.internet import defer, reactor, threads
from using.pair import pair

threading.Thread(target=reactor.run, kwargs={"installSignalHandlers": False}, daemon=True).start()


def work(_):
    answer = defer.Deferred()
    reactor.callFromThread(reactor.callLater, 0, answer.callback, bytes(3000))
    threads.blockingCallFromThread(reactor, lambda: answer)
    answer.addCallback(lambda _: bytes(3000))
    return answer


leak, clean = pair(work)
