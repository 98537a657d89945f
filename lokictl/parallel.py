"""Spreads work over processes that share everything loaded so far."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from lokictl.lazy import lazy

if TYPE_CHECKING:
    import multiprocessing
    from concurrent import futures
else:
    # Most runs make no process.
    multiprocessing, futures = lazy("multiprocessing"), lazy("concurrent.futures")

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

# What forked processes find in their memory: items themselves need not travel.
_SHARED: dict[str, Any] = {}

Tick = Callable[[int, int], None]
"""Called with how many items are done, and of how many."""


def in_processes(
    work: Callable[[Item], Outcome],
    items: Sequence[Item],
    jobs: int,
    *,
    chunk: int = 1,
    progress: Tick | None = None,
) -> Iterator[Outcome]:
    """The outcomes of ``work`` in the order of ``items``; in this process where ``jobs`` is 1.

    ``progress`` is called after each.

    Outcomes must be picklable; items are inherited.  Where processes cannot be forked, the work is done here.
    """
    for done, outcome in enumerate(_outcomes(work, items, jobs, chunk), start=1):
        if progress is not None:
            progress(done, len(items))
        yield outcome


def _outcomes(
    work: Callable[[Item], Outcome], items: Sequence[Item], jobs: int, chunk: int
) -> Iterator[Outcome]:
    if jobs <= 1 or len(items) < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(work, items)
        return
    _SHARED.update(work=work, items=items)
    gc.freeze()
    try:
        context = multiprocessing.get_context("fork")
        with futures.ProcessPoolExecutor(min(jobs, len(items)), mp_context=context) as pool:
            yield from pool.map(_one, range(len(items)), chunksize=chunk)
    finally:
        gc.unfreeze()
        _SHARED.clear()


def _one(index: int) -> Any:
    return _SHARED["work"](_SHARED["items"][index])
