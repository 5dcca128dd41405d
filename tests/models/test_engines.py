import sys

import numpy as np
import pytest
import torch
from standins import Thresholds, loaded

from scdcli.errors import InputError, ModelError, UnknownName
from scdcli.models import engines
from scdcli.models.engines import ENGINES, largest_difference, pick_engine, run_graph
from scdcli.models.graph import to_onnx
from scdcli.models.networks.outputs import Logits

CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("fastest")


@pytest.fixture(scope="module")
def model():
    return loaded().model


def pick(name, model, device=CPU, precision=torch.float32):
    return pick_engine(name, model, device, precision)


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_gives_the_logits_of_the_network(model, name):
    pair = torch.rand(2, 2, 3, 64, 96) * 255
    engine = pick(name, model)
    with torch.inference_mode():
        given = engine.forward(*pair)
        wanted = model(*pair)
    assert (engine.name, type(given)) == (name, Logits)
    for one, other in zip(given, wanted, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-4)


def test_auto_is_the_fastest_on_a_cpu_in_fp32_and_torch_elsewhere(model):
    assert pick("auto", model).name == "onnxruntime"
    assert pick("auto", model, precision=torch.bfloat16) == engines.Engine("torch", model)
    assert pick("auto", model, torch.device("cuda")).name == "torch"


def test_what_an_engine_does_not_compute_is_refused(model):
    with pytest.raises(InputError, match="onnxruntime computes in fp32 on a CPU, and cuda in bf"):
        pick("onnxruntime", model, torch.device("cuda"), torch.bfloat16)
    with pytest.raises(UnknownName, match="no engine named 'openvino'; choose one of: auto, onnx"):
        pick("openvino", model)


def test_without_an_engine_torch_runs_and_says_so(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    engine = pick("auto", model)
    assert engine.forward is model
    assert "pip install onnxruntime." in engine.note
    with pytest.raises(
        ModelError, match=r"onnxruntime cannot be used: it is not .* Or use --engine"
    ):
        pick("onnxruntime", model)


def test_a_network_that_is_no_graph_runs_in_torch_and_says_so():
    engine = pick("auto", loaded(Thresholds()).model)
    assert engine.name == "torch"
    assert "no translation of sum into ONNX." in engine.note


def test_an_engine_that_computes_something_else_is_not_used(model, monkeypatch):
    other = loaded(bands=3).model
    with torch.no_grad():
        other.network.change_decoder.head.bias += 1
    monkeypatch.setattr(engines, "run_graph", lambda graph, output: other)
    engine = pick("auto", model)
    assert engine.name == "torch"
    assert "differ from PyTorch's by 1" in engine.note


def test_numbers_that_are_none_differ(model):
    spoilt = loaded().model
    with torch.no_grad():
        spoilt.network.change_decoder.head.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="by nan"):
        largest_difference(spoilt, model)


def test_a_graph_that_is_none_is_one_sentence():
    with pytest.raises(ModelError, match=r"cannot read the graph \(.*\)\.$"):
        run_graph(b"a graph of old", "branches")


def test_what_fails_while_it_runs_is_one_sentence(model, monkeypatch):
    forward = run_graph(to_onnx(model), model.output)
    with pytest.raises(ModelError, match=r"ONNX Runtime failed \(.*\); use --engine torch"):
        forward(*torch.rand(2, 1, 5, 64, 64))


def test_a_lack_of_memory_is_one_that_a_smaller_batch_may_mend(model, monkeypatch):
    class Full:
        def __init__(self, *args):
            pass

        def run(self, outputs, inputs):
            raise Exception("Failed to allocate memory for requested buffer of size 9")

    monkeypatch.setattr("onnxruntime.InferenceSession", Full)
    with pytest.raises(torch.OutOfMemoryError):
        run_graph(b"", "branches")(*torch.rand(2, 1, 3, 64, 64))


def test_threads_are_as_many_as_pytorch_has(model, monkeypatch):
    seen = []

    def session(graph, options, providers):
        seen.append(options.intra_op_num_threads)

    monkeypatch.setattr("onnxruntime.InferenceSession", session)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    run_graph(b"", "branches")
    assert seen == [3]
