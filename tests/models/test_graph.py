import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from standins import loaded

from scdcli.errors import ModelError
from scdcli.models.graph import to_onnx
from scdcli.models.networks import BLOCKS, ENCODERS, NETWORKS, Logits, NetworkSettings, build
from scdcli.models.networks.model import ChangeModel

SHAPES = [(1, 32, 64), (3, 43, 37)]  # batch, height, width: of several, and odd


def model(**settings):
    torch.manual_seed(0)
    settings = NetworkSettings(width=0.125, **settings)
    made = ChangeModel(build(settings), [90.0] * settings.bands, [50.0] * settings.bands)
    # Batch statistics of images, so that every one of them counts for something.
    with torch.no_grad():
        made.train()(*torch.rand(2, 2, settings.bands, 33, 33) * 255)
    return made.eval()


def session(graph):
    options = onnxruntime.SessionOptions()
    # To optimize it takes longer than to run it twice.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def require_equal(made, graph):
    running = session(graph)
    for batch, height, width in SHAPES:
        pair = torch.rand(2, batch, made.mean.shape[0], height, width) * 255
        with torch.inference_mode():
            wanted = made(*pair)
        given = running.run(None, {"before": pair[0].numpy(), "after": pair[1].numpy()})
        assert [each.name for each in running.get_outputs()] == list(wanted._fields)
        for one, other in zip(given, wanted, strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_a_graph_that_takes_any_batch_and_size(name):
    made = model(name=name)
    require_equal(made, to_onnx(made))


@pytest.mark.parametrize("blocks", [name for name in BLOCKS if name != "residual"])
def test_blocks_are_graphs(blocks):
    made = model(name="hrscd-str1", blocks=blocks)
    require_equal(made, to_onnx(made))


@pytest.mark.parametrize("encoder", [name for name in ENCODERS if name != "paper"])
def test_encoders_are_graphs(encoder):
    made = model(name="hrscd-str4", encoder=encoder, bands=4)
    require_equal(made, to_onnx(made))


def test_a_graph_is_valid_and_keeps_the_names_of_the_weights():
    made = model(name="fc-ef")
    graph = to_onnx(made)
    onnx.checker.check_model(graph, full_check=True)
    stored = {each.name: each for each in onnx.load_from_string(graph).graph.initializer}
    for name, weight in made.network.named_parameters(prefix="network"):
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(stored[name]), weight.detach())


class Doing(torch.nn.Module):
    """A network of one operation."""

    output = "branches"

    def __init__(self, operation):
        super().__init__()
        self.operation = operation

    def forward(self, before, after):
        made = self.operation(before)
        return Logits(made, after, after)


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (torch.cumsum, "cumsum"),
        (lambda x, dim: F.pad(x, (1, 1)) + 1, "padding that no convolution follows"),
        (lambda x, dim: F.pad(x, (1, 1), value=3.0), "another value than 0"),
        (lambda x, dim: F.conv2d(F.pad(x, (2, 0, 0, 0)), torch.ones(1, 3, 3, 3)), "SAME"),
        (lambda x, dim: x.split(2, dim=dim)[0], "unequal parts"),
        (lambda x, dim: x[:, -2:], "from the end"),
        (lambda x, dim: x[:, [0, 1], [0, 1]], "several axes"),
        (lambda x, dim: x.double(), "conversion to torch.float64"),
        (lambda x, dim: F.interpolate(x, size=(50, 50), mode="bilinear"), "size 50"),
    ],
)
def test_what_has_no_translation_is_named(operation, why):
    doing = Doing(lambda x: operation(x, dim=1))
    with pytest.raises(ModelError, match=why):
        to_onnx(loaded(doing).model)
