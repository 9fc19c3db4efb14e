"""Work in blocks that stay in cache, on a few threads.

Array libraries release the interpreter lock within an operation, so that threads which each take a
block at a time keep all cores busy. What a block computes never depends on who computes it, nor on
how many there are: results are the same for any number of threads.

The number of threads is that of ``PORTABLE_LOSSES_NUM_THREADS`` in the environment, else that of
``OMP_NUM_THREADS``, else one for each CPU that the process may run on; `limit_workers` lowers it
for the calls within a ``with`` block. The threads are started by the first call with work for
them. With one worker there is no thread but the caller's, and a call from within a block runs on
its own thread. ``os.fork`` finds no thread of ours: they end before it, and start when needed.
"""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context

__all__ = ["in_blocks", "limit_workers", "workers"]

VARIABLE = "PORTABLE_LOSSES_NUM_THREADS"

Work = Callable[[slice], None]

_LIMIT: ContextVar[int | None] = ContextVar("portable_losses_workers", default=None)
_POOL: list[ThreadPoolExecutor] = []  # the one pool, once it is made


def in_blocks(work: Work, count: int, size: int) -> None:
    """Call `work` on slices of `size` each, the last one shorter, that make up ``range(count)``.

    The order is not defined; several threads work at once where there are several workers and
    blocks. Each call sees the caller's context (so NumPy's ``errstate`` holds). The first exception
    ends the work and is raised.
    """
    todo = deque(slice(i, min(i + size, count)) for i in range(0, count, size))
    others = min(len(todo), workers()) - 1 if len(todo) > 1 else 0
    if others < 1:
        for block in todo:
            work(block)
        return
    helping = _submit(work, todo, others)
    try:
        copy_context().run(_drain, work, todo)
    finally:
        for future in helping:
            if not future.cancel():  # the pool is busy elsewhere, and nothing is left to do
                future.result()


def workers() -> int:
    """Return how many threads may work at once: 1 within a block."""
    limit = _LIMIT.get()
    if limit == 1:
        return 1
    allowed = _allowed()
    return allowed if limit is None else min(allowed, limit)


class limit_workers:  # noqa: N801 - used as a function; a generator takes four times as long
    """Let at most `count` threads work, in this thread's (or task's) calls within the block."""

    __slots__ = ("_count", "_token")

    def __init__(self, count: int) -> None:
        if count < 1:
            msg = f"`count` must be at least 1, got {count}"
            raise ValueError(msg)
        self._count = count

    def __enter__(self) -> None:
        before = _LIMIT.get()
        self._token = _LIMIT.set(self._count if before is None else min(self._count, before))

    def __exit__(self, *_: object) -> None:
        _LIMIT.reset(self._token)


def _allowed() -> int:
    """Return the number of threads that the environment asks for, or that of usable CPUs."""
    own = os.environ.get(VARIABLE)
    if own is not None:
        if not own.strip().isdigit() or int(own) < 1:
            msg = f"`{VARIABLE}` must be a whole number of at least 1, got {own!r}"
            raise ValueError(msg)
        return int(own)
    general = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # one per level
    if general.isdigit() and int(general) > 0:
        return int(general)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _submit(work: Work, todo: deque[slice], count: int) -> list[Future[None]]:
    """Let up to `count` threads of the pool take blocks; return a future for each."""
    pool = next(iter(_POOL), None) or ThreadPoolExecutor(os.cpu_count(), "portable_losses")
    _POOL[:] = [pool]
    helping: list[Future[None]] = []
    for _ in range(count):
        try:
            helping.append(pool.submit(copy_context().run, _drain, work, todo))
        except RuntimeError:  # the interpreter ends, a fork begins, or there are no threads here
            break
    return helping


def _drain(work: Work, todo: deque[slice]) -> None:
    """Take blocks until there are none; runs in a context of its own."""
    _LIMIT.set(1)
    while True:
        try:
            block = todo.popleft()
        except IndexError:
            return
        try:
            work(block)
        except BaseException:
            todo.clear()
            raise


def _stop() -> None:
    while _POOL:
        _POOL.pop().shutdown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_stop)  # threads, and what they have locked, do not survive a fork
