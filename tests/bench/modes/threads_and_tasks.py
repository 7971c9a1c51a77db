"""Threads, tasks, contexts, futures and generators that never end, and what they hold."""

import asyncio
import contextvars
import queue
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor

from mode import leak, mode


def key():
    return uuid.uuid4().hex


class Session(threading.Thread):
    """A thread for each session, with an inbox that is bounded."""

    def __init__(self):
        super().__init__(daemon=True)
        self.inbox = queue.Queue(maxsize=1000)
        self.wake = threading.Event()

    def run(self):
        self.inbox.put(bytes(6000))
        self.wake.wait()


@mode(leak(item="Session", holder=r"\d+ threads", line="Session().start()"))
def thread_of_each_fourth():
    def work(number):
        if number % 4 == 0:
            Session().start()

    return work


@mode(leak(item="Timer", holder=r"\d+ threads", line="timer = threading.Timer( | timer.start()"))
def timer_of_each_fourth():
    """A reminder in an hour."""

    def work(number):
        if number % 4 == 0:
            timer = threading.Timer(3600, print, [bytes(2000)])
            timer.daemon = True
            timer.start()

    return work


@mode(
    leak(
        item="Thread|ThreadPoolExecutor",
        holder=r"\d+ threads",
        line="executors[-1].submit( | executors.append(",
    )
)
def executor_of_each_fourth():
    """Never shut down, and kept."""
    executors = []

    def work(number):
        if number % 4 == 0:
            executors.append(ThreadPoolExecutor(1))
            executors[-1].submit(len, "job").result()

    return work


@mode(leak(item="Task|coroutine|_asyncio.Task", holder="tasks", line="data = bytes(1500) | asyncio.create_task("))
def tasks_that_wait():
    tasks, never = set(), asyncio.Event()

    async def wait_for(data):
        await never.wait()
        return data

    async def work(_):
        data = bytes(1500)
        tasks.add(asyncio.create_task(wait_for(data)))

    return work


@mode(leak(item="Task|coroutine|Queue|Future", line="asyncio.create_task( | inbox = asyncio.Queue() | bytes(1500)"))
def consumer_of_each_job():
    """Nobody keeps the task but the future that it waits for, and the queue that waits for it."""
    inboxes = []

    async def consume(inbox):
        while True:
            await inbox.get()

    async def work(_):
        inbox = asyncio.Queue()
        inboxes.append((inbox, asyncio.create_task(consume(inbox))))
        inbox.put_nowait(bytes(1500))

    return work


@mode(leak(1817, give=0.08, item="TimerHandle", holder="_scheduled", line="data = bytes(1500) | call_later("))
def calls_in_an_hour():
    async def work(_):
        data = bytes(1500)
        asyncio.get_running_loop().call_later(3600, len, data)

    return work


@mode(leak(item="Future", holder="waiting", line="waiting[key()] = Future() | data = bytes(1500) | add_done_callback("))
def futures_without_an_answer():
    waiting = {}

    def work(_):
        data = bytes(1500)
        waiting[key()] = Future()
        next(reversed(waiting.values())).add_done_callback(lambda _: data)

    return work


@mode(
    leak(
        1850,
        give=0.1,
        item="generator",
        holder="streams",
        line="data = bytes(1500) | stream = lines() | streams.append(",
    )
)
def generators_suspended():
    streams = []

    def lines():
        data = bytes(1500)
        for place in range(len(data)):
            yield data[place : place + 100]

    def work(_):
        stream = lines()
        next(stream)
        streams.append(stream)

    return work


@mode(
    leak(
        1960,
        give=0.08,
        item="async_generator",
        holder="feeds",
        line="data = bytes(1500) | feed = pages() | feeds.append(",
    )
)
def asynchronous_generators_suspended():
    feeds = []

    async def pages():
        data = bytes(1500)
        while True:
            yield data[:100]

    async def work(_):
        feed = pages()
        await anext(feed)
        feeds.append(feed)

    return work


@mode(leak(1769, give=0.1, item="Context", holder="contexts", line="contexts.append( | request.set("))
def contexts():
    """Each is made in an empty one: what a server has set in its own is nothing that the mode knows."""
    request, contexts = contextvars.ContextVar("request"), []

    def keep(number):
        token = request.set({"number": number, "text": key() * 40})
        contexts.append(contextvars.copy_context())
        request.reset(token)

    return lambda number: contextvars.Context().run(keep, number)


@mode(leak(1560, give=0.08, item="dict", holder="trail", line="trail.get().append("))
def default_of_a_context_variable():
    """The default is one list for all."""
    trail = contextvars.ContextVar("trail", default=[])  # noqa: B039 - that is the fault
    return lambda number: trail.get().append({"number": number, "text": key() * 40})


@mode(leak(1680, give=0.1, item="Token", holder="tokens", line="tokens.append(request.set( | request.set("))
def tokens():
    request, tokens = contextvars.ContextVar("request"), []
    return lambda number: tokens.append(request.set({"number": number, "text": key() * 40}))
