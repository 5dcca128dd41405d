"""What runs a network's forward passes, and how fast: PyTorch, ONNX Runtime, OpenVINO.

Usage: OMP_NUM_THREADS=1 python benchmarks/engines.py [--models urban,second] [--size 512]
       [--rounds 7] [--engines eager,onnxruntime]
Every engine has a process of its own, and they take turns: the first of them has a pass, then the
next, round after round, so that what else the machine does falls on all alike. Seconds of a pass
are the best of all rounds, in brackets the median; ratios are to eager, which is PyTorch as a model
file is loaded (weights channels-last). Start-up is what an engine needs from a loaded model to its
first pass, its import included. Memory is the peak of the process, libraries and weights included.
Classes are compared with eager's on the same random pair. OpenVINO is measured where it is
installed (pip install openvino); int8 is ONNX Runtime with weights and activations in 8 bits.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from scdcli.models.checkpoint import load_model
from scdcli.models.engines import run_graph
from scdcli.models.graph import to_onnx


def eager(model, pair):
    return lambda: model(*pair)


def contiguous(model, pair):
    return eager(model.to(memory_format=torch.contiguous_format), pair)


def channels_last(model, pair):
    return eager(model, [x.contiguous(memory_format=torch.channels_last) for x in pair])


def frozen(model, pair):
    """Channels-last with batch normalizations folded into convolutions, without Python between."""
    pair = [x.contiguous(memory_format=torch.channels_last) for x in pair]
    traced = torch.jit.trace(model, tuple(pair), check_trace=False, strict=False)
    return eager(torch.jit.freeze(traced), pair)


def onnxruntime(model, pair):
    return eager(run_graph(to_onnx(model), model.output), pair)


def openvino(model, pair):
    import openvino

    core = openvino.Core()
    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = core.compile_model(core.read_model(to_onnx(model)), "CPU", settings)
    arrays = [x.numpy() for x in pair]
    return lambda: [torch.from_numpy(each) for each in compiled(arrays).values()]


def int8(model, pair):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):
        """A single pair: enough to see how fast it is."""

        def __init__(self):
            self.left = [{"before": pair[0].numpy(), "after": pair[1].numpy()}]

        def get_next(self):
            return self.left.pop() if self.left else None

    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder, "plain.onnx"), Path(folder, "small.onnx")
        plain.write_bytes(to_onnx(model))
        kinds = ["Conv", "ConvTranspose"]
        settings = {"quant_format": QuantFormat.QDQ, "per_channel": True}
        quantize_static(plain, small, Reader(), op_types_to_quantize=kinds, **settings)
        return eager(run_graph(small.read_bytes(), model.output), pair)


ENGINES = {
    each.__name__: each
    for each in (eager, contiguous, channels_last, frozen, onnxruntime, openvino, int8)
}


def work(name, engine, size):
    """Answer every line on stdin with the seconds of a pass; the first line is the start-up."""
    model = load_model(name).model
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand((2, 1, 3, size // 16, size // 16), generator=random) * 255
    pair = [torch.nn.functional.interpolate(x, size=(size, size), mode="bilinear") for x in coarse]
    with torch.inference_mode():
        began = time.perf_counter()
        run = ENGINES[engine](model, pair)
        logits = run()
        print(json.dumps({"start": time.perf_counter() - began}), flush=True)
        classes = np.stack([each.argmax(1).numpy().astype("u1") for each in logits])
        for line in sys.stdin:
            if line.strip() == "end":
                break
            began = time.perf_counter()
            run()
            print(time.perf_counter() - began, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak": peak, "classes": classes.tobytes().hex()}), flush=True)


class Worker:
    """An engine in a process of its own."""

    def __init__(self, name, engine, size):
        command = [sys.executable, __file__, "--work", name, engine, str(size)]
        self.process = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.seconds = []
        line = self.process.stdout.readline()
        self.start = json.loads(line)["start"] if line else None

    def pass_once(self):
        self.seconds.append(float(self.ask("pass")))

    def ask(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


def measure(name, engines, size, rounds):
    workers = {engine: Worker(name, engine, size) for engine in engines}
    running = {engine: each for engine, each in workers.items() if each.start is not None}
    for _ in range(rounds):
        for worker in running.values():
            worker.pass_once()
    ends = {engine: json.loads(worker.ask("end")) for engine, worker in running.items()}
    classes = {e: np.frombuffer(bytes.fromhex(end["classes"]), "u1") for e, end in ends.items()}
    print(f"\n{name}, one pair of {size} x {size}, {torch.get_num_threads()} threads")
    print("| engine | s | ratio | start-up, s | peak, MB | equal classes, % |")
    print("|---|---|---|---|---|---|")
    base = min(running["eager"].seconds)
    for engine in engines:
        if engine not in running:
            print(f"| {engine} | cannot be measured here ||||")
            continue
        worker = running[engine]
        best, usual = min(worker.seconds), statistics.median(worker.seconds)
        equal = 100 * (classes[engine] == classes["eager"]).mean()
        print(
            f"| {engine} | {best:.3f} ({usual:.3f}) | {best / base:.2f} | {worker.start:.1f} | "
            f"{ends[engine]['peak']:.0f} | {equal:.4f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", default="urban,second")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        name, engine, size = options.work
        work(name, engine, int(size))
        return
    for name in options.models.split(","):
        measure(name, options.engines.split(","), options.size, options.rounds)


if __name__ == "__main__":
    main()
