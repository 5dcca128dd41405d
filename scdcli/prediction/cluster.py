"""The workers of a Dask scheduler, on this machine or on many, that predict supertiles.

The workers return what they predict, and this process alone writes. Whatever is lost with a worker
is computed by another one; what is lost with the scheduler, by the next run with ``resume``.
"""

import json
import re
import time
import warnings
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdcli.errors import InputError, OutputError
from scdcli.prediction.journal import Layers
from scdcli.prediction.task import Task, compute

if TYPE_CHECKING:
    from distributed import Client, Future

ANSWER = 10.0  # seconds that a scheduler may take to answer
PATIENCE = 60.0  # seconds without any worker, or without the scheduler
POLL = 1.0  # seconds
RETRIES = 2  # of a supertile that fails
AHEAD = 2  # supertiles a thread has before it
SILENT = 60  # a level of messages above all there are
QUIET = dict.fromkeys(("distributed", "distributed.client", "tornado"), "critical")
GPU = "GPU"  # the resource that a worker with one offers

LOCAL = re.compile(r"local:([1-9]\d{0,2})", re.ASCII)
ADDRESS = re.compile(r"(tcp|tls|ucx|wss?)://\S+:\d+", re.ASCII)
GO_ON = "what is done is kept; go on with --resume"


class Cluster:
    """Workers, and what they are given to do."""

    def __init__(self, client: "Client", name: str) -> None:
        """Made by `open_cluster`."""
        self._client, self.name = client, name
        self._gpu = False
        self._missed: float | None = None  # since when nobody is there to work

    def predict(
        self, task: Task, numbers: Sequence[int], *, gpu: bool
    ) -> Generator[Layers, None, None]:
        """The layers of supertiles, in order, with a few more in work than are waited for.

        Args:
            task: What the supertiles have in common.
            numbers: Which are wanted.
            gpu: Whether they are for workers that offer the resource ``GPU``.

        Raises:
            InputError: A worker cannot predict one, or not with the same result.
            OutputError: The scheduler, or every worker, is gone.
        """
        waiting: deque[Future[Layers]] = deque()
        left = iter(numbers)
        options: dict[str, Any] = {"retries": RETRIES, "pure": False}
        self._gpu = gpu
        if gpu:
            options["resources"] = {GPU: 1}
        self._require_workers()
        # A task, not scattered data: it is made again if all workers that hold it are lost.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)
            shipped = self._client.submit(_same, task, pure=False)
        try:
            while True:
                while len(waiting) < self._at_a_time():
                    if (number := next(left, None)) is None:
                        break
                    waiting.append(self._client.submit(compute, shipped, number, **options))
                if not waiting:
                    return
                yield self._result(waiting.popleft())
        finally:
            with suppress(Exception):  # the scheduler may be gone
                self._client.cancel([*waiting, shipped], force=True)

    def _result(self, future: "Future[Layers]") -> Layers:
        from distributed.scheduler import KilledWorker

        while True:
            try:
                layers: Layers = future.result(timeout=POLL)
                return layers
            except TimeoutError:
                self._require_alive()
            except CancelledError as error:
                raise self._lost() from error
            except KilledWorker as error:
                raise OutputError(
                    f"{error.last_worker.address} and others ended with the same part: it may want "
                    f"more memory than a worker of {self.name} has; {GO_ON}, with more of it."
                ) from error

    def _at_a_time(self) -> int:
        return AHEAD * max(1, self._threads()) + 1

    def _threads(self) -> int:
        """Threads of all workers that can do the work; none while the scheduler does not answer."""
        if self._client.status != "running":
            return 0
        try:
            workers = self._client.scheduler_info()["workers"].values()
        except (OSError, RuntimeError):
            return 0
        return sum(
            worker["nthreads"]
            for worker in workers
            if not self._gpu or worker.get("resources", {}).get(GPU)
        )

    def _require_workers(self) -> None:
        """Wait for the first worker."""
        while not self._threads():
            self._require_alive()
            time.sleep(POLL / 4)

    def _require_alive(self) -> None:
        """Refuse to wait for ever."""
        if self._threads():
            self._missed = None
            return
        self._missed = self._missed or time.monotonic()
        if time.monotonic() - self._missed > PATIENCE:
            raise self._lost()

    def _lost(self) -> OutputError:
        if self._client.status == "running":
            kind, how = "", ""
            if self._gpu:
                kind, how = " that offers a GPU", ' --resources "GPU=1"'
            return OutputError(
                f"{self.name} has had no worker{kind} for {PATIENCE:.0f} seconds; start some with "
                f"`dask worker{how}`. {GO_ON.capitalize()}."
            )
        return OutputError(f"{self.name} is gone; {GO_ON}.")


def _same(task: Task) -> Task:
    return task


@contextmanager
def open_cluster(where: str) -> Iterator[Cluster]:
    """Workers to predict with.

    Args:
        where: ``local:N`` for N processes of one thread each on this machine; the address of a
            scheduler, ``tcp://HOST:PORT`` or ``tls://HOST:PORT``; or the JSON file that
            ``dask scheduler --scheduler-file`` writes.

    Raises:
        InputError: It is none of these, Dask is not installed, or no scheduler answers.
    """
    number = LOCAL.fullmatch(where)
    address = None if number else scheduler_address(where)
    try:
        import dask

        # What there is to say is said in one sentence; lost connections are told at length there.
        dask.config.set({"logging": QUIET})
        import distributed
    except ImportError as error:
        raise InputError(
            "--scheduler wants Dask, which is not installed: pip install 'scdcli[dask]'."
        ) from error
    if number:
        with (
            distributed.LocalCluster(
                n_workers=int(number[1]),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                resources={GPU: 1},  # if there is one, all share it
                silence_logs=SILENT,
            ) as started,
            distributed.Client(started) as client,
        ):
            yield Cluster(client, where)
        return
    try:
        client = distributed.Client(address, timeout=ANSWER)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"no scheduler answers at {address} within {ANSWER:.0f} seconds; start one with "
            "`dask scheduler`, and see that the port is open from here."
        ) from error
    try:
        yield Cluster(client, where)
    finally:
        with suppress(Exception):  # the scheduler may be gone
            client.close(timeout=2)


def scheduler_address(where: str) -> str:
    """The address of a scheduler, as given or from its file.

    Raises:
        InputError: It is neither.
    """
    if ADDRESS.fullmatch(where):
        return where
    path = Path(where)
    if not path.is_file():
        raise InputError(
            f"--scheduler {where} is neither local:N, with N up to 999, nor an address as "
            "tcp://HOST:8786, nor a file."
        )
    try:
        address = json.loads(path.read_text(encoding="utf-8"))["address"]
        if not ADDRESS.fullmatch(address):
            raise ValueError(f"its address is {address!r}")
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(
            f"{path} is no file of a scheduler ({error}); make one with "
            "`dask scheduler --scheduler-file FILE`."
        ) from error
    return str(address)
