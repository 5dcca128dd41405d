"""Iterators that run ahead of what asks them."""

import threading
from contextlib import closing

import pytest

from scdcli.prediction.ahead import ahead


class Numbers:
    """Counts up; knows how far it got, in which threads, and whether it was closed."""

    def __init__(self, until, error=None):
        self.until, self.error = until, error
        self.made, self.threads, self.closed = 0, set(), False
        self.at = threading.Condition()

    def __iter__(self):
        try:
            while self.made < self.until:
                with self.at:
                    self.made += 1
                    self.threads.add(threading.get_ident())
                    self.at.notify_all()
                yield self.made
            if self.error:
                raise self.error
        finally:
            self.closed = True

    def wait_for(self, number):
        with self.at:
            assert self.at.wait_for(lambda: self.made >= number, timeout=60)


@pytest.mark.parametrize("most", [1, 3, 100])
def test_the_same_items_come_in_the_same_order_from_one_other_thread(most):
    numbers = Numbers(20)
    assert list(ahead(iter(numbers), most)) == list(range(1, 21))
    assert len(numbers.threads) == 1
    assert threading.get_ident() not in numbers.threads
    assert numbers.closed


def test_nothing_is_made_before_it_is_asked_for_the_first_time():
    numbers = Numbers(3)
    ahead(iter(numbers), 2).close()
    assert numbers.made == 0


def test_so_many_items_are_made_ahead_and_not_one_more():
    numbers = Numbers(100)
    with closing(ahead(iter(numbers), 3)) as items:
        for asked in range(1, 11):
            assert next(items) == asked
            numbers.wait_for(asked + 3)  # without being asked for
            assert numbers.made == asked + 3
    assert numbers.closed
    assert numbers.made == 13


@pytest.mark.parametrize("error", [OSError("gone"), KeyboardInterrupt()])
def test_an_error_comes_after_what_was_made_before_it(error):
    items = ahead(iter(Numbers(4, error)), 2)
    got = [next(items) for _ in range(4)]
    with pytest.raises(type(error)) as raised:
        next(items)
    assert raised.value is error
    assert got == [1, 2, 3, 4]


def test_closing_ends_a_chain_of_threads():
    before = threading.active_count()
    numbers = Numbers(1000)

    def doubled(items):
        with closing(items):
            for item in items:
                yield 2 * item

    def use():
        with closing(ahead(doubled(ahead(iter(numbers), 2)), 2)) as items:
            assert next(items) == 2
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        use()
    assert numbers.closed
    assert threading.active_count() == before
