"""Signals during long calls into C, in which Python cannot answer them.

A program that can be killed at any moment without harm may let them end it at once.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM)
_owned = False


@contextmanager
def owning_the_process() -> Iterator[None]:
    """Inside, signals may end the process in a long call: it is a command, not a notebook."""
    global _owned
    before, _owned = _owned, True
    try:
        yield
    finally:
        _owned = before


@contextmanager
def mortal() -> Iterator[None]:
    """Around a long call: SIGINT and SIGTERM end the process at once, if the process is ours.

    The exit status is then that of the signal, 130 or 143 in a shell.
    """
    if not _owned or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
