"""Signals end a long call at once where the process is ours, and nowhere else."""

import signal
import threading

from scdcli.files.interruption import ENDING, mortal, owning_the_process


def handlers():
    return [signal.getsignal(number) for number in ENDING]


def test_in_a_program_of_ours_signals_end_the_process_during_the_call_alone():
    before = handlers()
    with owning_the_process():
        with mortal():
            assert handlers() == [signal.SIG_DFL] * len(ENDING)
        assert handlers() == before


def test_in_a_program_of_others_nothing_changes():
    before = handlers()
    with owning_the_process():
        pass
    with mortal():
        assert handlers() == before


def test_a_thread_leaves_the_handlers_alone():
    """Python lets only the main thread set them."""
    seen = []

    def work():
        with mortal():
            seen.append(handlers())

    before = handlers()
    with owning_the_process():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [before]
