"""Networks of one's own: classes outside this package, named ``package.module:Class``.

Their code runs because a person names it to `allow`, never because a model file does.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from importlib import import_module
from pathlib import Path

from torch import nn

from scdcli.errors import ModelError

_allowed: dict[str, Callable[..., nn.Module]] = {}


def is_own(name: str) -> bool:
    """Whether a name of a network stands for a class outside this package."""
    return ":" in name


def allow(name: str) -> None:
    """Import a network of one's own, so that it can be built by this name.

    Modules are looked for where Python finds them, then in the working folder.

    Raises:
        ModelError: It cannot be imported, or is no class.
    """
    module, _, path = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *path.split("."))):
        raise ModelError(
            f"{name!r} is no name of a network of one's own; write package.module:Class."
        )
    try:
        with _working_folder_last():
            network = reduce(getattr, path.split("."), import_module(module))
    except Exception as error:  # whatever somebody's code raises
        raise ModelError(
            f"the network {name} cannot be imported ({type(error).__name__}: {error}); install "
            "its package, or start scd in the folder of its module."
        ) from error
    if not callable(network):
        raise ModelError(f"the network {name} is {network!r}, not a class of networks.")
    _allowed[name] = network


def allowed(name: str) -> Callable[..., nn.Module]:
    """A network of one's own by its name.

    Raises:
        ModelError: Nobody has allowed it.
    """
    if name not in _allowed:
        raise ModelError(
            f"the network {name!r} is code of somebody's own, which scd does not run because a "
            "model file names it. If you trust that code, name it yourself: scd --network "
            "PACKAGE.MODULE:CLASS before the command, or SCD_NETWORK in the environment."
        )
    return _allowed[name]


@contextmanager
def _working_folder_last() -> Iterator[None]:
    """Find modules in the working folder, but none instead of an installed one."""
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.reverse()
        sys.path.remove(here)  # the last one, which is ours
        sys.path.reverse()
