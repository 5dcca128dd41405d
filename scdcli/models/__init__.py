"""Model files, what they expect of a pair, and the devices they run on."""

from importlib.resources import files
from pathlib import Path

from scdcli.errors import UnknownName

DEFAULT_MODEL = "urban"
MODEL_SUFFIX = ".safetensors"


def bundled_models() -> dict[str, Path]:
    """The models that come with the package, by name."""
    folder = Path(str(files("scdcli"))) / "models" / "bundled"
    return {path.stem: path for path in sorted(folder.glob(f"*{MODEL_SUFFIX}"))}


def find_model(name: str) -> Path:
    """The file of a bundled model, or ``name`` itself when it is a file.

    Raises:
        UnknownName: Neither a bundled model nor a file.
    """
    path = Path(name)
    if path.is_file():
        return path
    bundled = bundled_models()
    if name in bundled:
        return bundled[name]
    raise UnknownName("model (and no such file)", name, bundled)


def known_as(name: str) -> str:
    """How a model is called in messages: a bundled one by its name, a file without its folders."""
    path = find_model(name)
    return name if bundled_models().get(name) == path else path.name
