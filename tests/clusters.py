"""Run by test_cluster: predictions by the workers of real schedulers, some of which are killed.

Usage: python clusters.py FOLDER; FOLDER holds before.tif, after.tif and model.safetensors. Prints
JSON, what came of each. A process of its own, since Dask leaves threads behind.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from hashlib import sha256
from pathlib import Path

import distributed
from distributed import Client

from scdcli.errors import ScdError
from scdcli.prediction import cluster as clusters
from scdcli.prediction.cluster import Cluster, open_cluster
from scdcli.prediction.predictor import make_predictor
from scdcli.prediction.settings import InferenceSettings, OutputSettings
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.write import write_prediction
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

SCHEDULER = textwrap.dedent("""
    import sys, time
    from distributed import LocalCluster

    if __name__ == "__main__":
        local = {"host": "127.0.0.1", "dashboard_address": None, "processes": False, "protocol": "tcp://"}
        with LocalCluster(n_workers=1, threads_per_worker=1, **local) as cluster:
            print(cluster.scheduler_address, flush=True)
            time.sleep(600)
""")


def predict(folder: Path, out: str, cluster=None, progress=None, **settings) -> dict[str, str]:
    """Predict into a folder; the digests of its files."""
    from dataclasses import replace

    inference = InferenceSettings(device="cpu", engine="torch", tta="none", mmu="4px")
    predictor = replace(
        make_predictor(str(folder / "model.safetensors"), inference), tiling=Tiling(64, 16, 2)
    )
    images = folder / "before.tif", folder / "after.tif"
    with open_pair(*images, PairSettings(normalize="match")) as pair:
        write_prediction(
            pair,
            predictor,
            folder / out,
            OutputSettings(report=False, land_cover=True, **settings),
            cluster=cluster,
            progress=progress,
        )
    return {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in (folder / out).iterdir()
        if path.name != "summary.json"  # holds the seconds
    }


def refusal(call) -> str:
    try:
        call()
    except ScdError as error:
        return str(error)
    return ""


def with_a_worker_killed(folder: Path) -> dict[str, str]:
    with open_cluster("local:2") as cluster:
        killed = []

        def kill(share: float) -> None:
            if not killed:
                killed.append(next(iter(cluster._client.run(os.getpid).values())))
                os.kill(killed[0], signal.SIGKILL)

        found = predict(folder, "killed", cluster, kill)
        assert killed
    return found


def with_the_scheduler_killed(folder: Path) -> tuple[str, dict[str, str], int]:
    """What is said then, and what goes on from there without one."""
    with subprocess.Popen(
        [sys.executable, "-c", SCHEDULER], stdout=subprocess.PIPE, text=True
    ) as it:
        address = it.stdout.readline().strip()

        def kill(share: float) -> None:
            it.kill()

        begun = time.monotonic()
        with open_cluster(address) as cluster:
            said = refusal(lambda: predict(folder, "gone", cluster, kill))
        assert time.monotonic() - begun < 300
    left = len(list((folder / ".gone.partial/journal").glob("*.npz")))
    return said, predict(folder, "gone", resume=True), left


def without_a_worker(folder: Path) -> str:
    with (
        distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=None) as local,
        Client(local) as client,
    ):
        return refusal(lambda: predict(folder, "nobody", Cluster(client, "here")))


def main() -> None:
    folder = Path(sys.argv[1])
    clusters.PATIENCE, clusters.POLL = 2.0, 0.2
    here = predict(folder, "here")
    killed = with_a_worker_killed(folder)
    said, resumed, left = with_the_scheduler_killed(folder)
    found = {
        "files": len(here),
        "killed worker": [name for name in here if killed.get(name) != here[name]],
        "killed scheduler": said,
        "kept": left,
        "resumed": [name for name in here if resumed.get(name) != here[name]],
        "nobody": without_a_worker(folder),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":  # workers import this file
    main()
