"""Iterators that run ahead of what asks them, each in a thread of its own."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Generator[Item, None, None], most: int) -> Generator[Item, None, None]:
    """The same items, of which a thread makes up to ``most`` before they are asked for.

    Two stages of a chain then work side by side, and neither gets far from the other. An exception
    in ``items`` is raised where its item is asked for. Closing waits for the item that is being
    made, then ``items`` is closed, too: close what is not used up (`contextlib.closing`), or a
    thread goes on until nobody refers to it any more.

    Args:
        items: Is used by this thread alone from the first item on.
        most: Items that wait at a time, at least 1.
    """
    with ThreadPoolExecutor(1) as thread:
        end = object()
        waiting = deque(thread.submit(next, items, end) for _ in range(most))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(next, items, end))
                yield item  # type: ignore[misc]  # no end
        finally:
            for future in waiting:
                future.cancel()
            thread.submit(items.close)
