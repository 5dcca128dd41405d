"""Model files, what they expect of a pair, and the devices they run on."""

from importlib.resources import files
from pathlib import Path

DEFAULT_MODEL = "urban"
MODEL_SUFFIX = ".safetensors"


def bundled_models() -> dict[str, Path]:
    """The models that come with the package, by name."""
    folder = Path(str(files("scdcli"))) / "models" / "bundled"
    return {path.stem: path for path in sorted(folder.glob(f"*{MODEL_SUFFIX}"))}
