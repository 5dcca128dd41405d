"""Several processes that train one model together, as ``torchrun`` starts them.

What concerns all is decided by all: an error of one ends every process with its message, and none
is left waiting for another.
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from scdcli.errors import InputError, ScdError
from scdcli.models.device import pick_device

Item = TypeVar("Item")

END = object()


@dataclass(frozen=True)
class Ranks:
    """The place of this process among those that train together; by default it is alone."""

    rank: int = 0
    count: int = 1
    local: int = 0  # rank among those on this machine
    local_count: int = 1  # how many are on this machine

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.count == 1

    def sum(self, tensor: Tensor) -> Tensor:
        """The tensor summed over all processes."""
        if not self.alone:
            dist.all_reduce(tensor)
        return tensor

    def gather(self, item: Item) -> list[Item]:
        """The items of all processes in order of rank; they must be picklable."""
        if self.alone:
            return [item]
        items: list[Any] = [None] * self.count
        dist.all_gather_object(items, item)
        return items

    def share_buffers(self, module: nn.Module) -> None:
        """Give every process the first one's batch statistics."""
        if not self.alone:
            for buffer in module.buffers():
                dist.broadcast(buffer, src=0)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Wait for all at the end, and raise in all when it went wrong in one."""
        failed = None
        try:
            yield
        except Exception as error:
            failed = error
        self._raise_first(failed)

    def by_first(self, act: Callable[[], Item]) -> Item:
        """The result of a function that only the first process calls, in all of them."""
        results: list[Item] = []
        with self.together():
            if self.first:
                results = [act()]
        return self.gather(results)[0][0]

    def in_step(self, items: Iterator[Item], device: torch.device) -> Iterator[Item]:
        """The items, of which every process must have as many; one's error is raised in all."""
        if self.alone:
            yield from items
            return
        while True:
            failed, item = None, END
            try:
                item = next(items, END)
            except Exception as error:
                failed = error
            # One number instead of objects: this is done for every batch.
            if self.sum(torch.tensor(float(failed is not None), device=device)) > 0:
                self._raise_first(failed)
            if item is END:
                return
            yield item  # type: ignore[misc]

    def _raise_first(self, failed: Exception | None) -> None:
        messages = self.gather(str(failed) or repr(failed) if failed else None)
        if failed:
            raise failed
        for message in messages:
            if message is not None:
                raise ScdError(message)


ALONE = Ranks()


def pick_shared_device(name: str, ranks: Ranks) -> torch.device:
    """The device of one of several processes: each its own GPU for ``auto`` and ``cuda``.

    Raises:
        InputError: There are fewer GPUs than processes on this machine, or one is named for all.
        UnknownName: No such device.
    """
    device = pick_device(name)
    if ranks.alone or device.type == "cpu":
        return device
    if device.index is not None:
        raise InputError(
            f"the device {name} is one GPU for {ranks.count} processes; give --device cuda, with "
            "which each takes its own."
        )
    count = torch.cuda.device_count()
    if ranks.local_count > count:
        raise InputError(
            f"{ranks.local_count} processes are started on this machine, but PyTorch sees {count} "
            f"CUDA GPUs; start {count}, or give --device cpu."
        )
    return torch.device("cuda", ranks.local)


def launched() -> Ranks:
    """This process's place as ``torchrun`` says it, or alone."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if not all(os.environ.get(name, "").isdigit() for name in names):
        return ALONE
    return Ranks(*(int(os.environ[name]) for name in names))


@contextmanager
def connected(ranks: Ranks, device: torch.device) -> Iterator[None]:
    """Connect with the other processes, over NCCL between GPUs and gloo between CPUs."""
    if ranks.alone:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # The first process may look through a large set for long while the others wait.
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=timedelta(hours=2))
    try:
        yield
    except BaseException:
        # NCCL would wait for an exchange that the others never finish; torchrun ends them.
        if backend == "gloo":
            _disconnect()
        raise
    _disconnect()


def _disconnect() -> None:
    dist.destroy_process_group()
    # Models that exchanged gradients hold the group in cycles. Left to the end of the
    # interpreter, its threads can abort the process after all is done.
    gc.collect()
