"""A batch that fits: halved when the memory of the device is too small for it."""

from collections.abc import Callable

import torch

from scdcli.errors import ModelError

# What PyTorch raises as a plain RuntimeError when a library below it gets no memory.
SIGNS = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_NOT_SUPPORTED",
    "can't allocate memory",
)


class BatchSize:
    """Chips per forward pass; every pass has exactly this many until it is halved."""

    def __init__(self, size: int, say: Callable[[str], None]) -> None:
        """Start with ``size``; ``say`` gets one sentence, the first time it is halved."""
        self.size = size
        self._say = say
        self._said = False

    def halve(self, chip: int) -> None:
        """Go on with half as many.

        Raises:
            ModelError: One chip, of ``chip`` pixels, is too much.
        """
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self.size == 1:
            raise ModelError(
                f"the memory is too small for one chip of {chip} x {chip} pixels; use a smaller "
                f"--chip, for example {chip // 2}, or --device cpu."
            )
        if not self._said:
            self._say(
                f"The memory is too small for {self.size} chips at a time: going on with fewer, "
                "which changes nothing in the result."
            )
        self._said = True
        self.size //= 2


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a smaller batch may help."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in SIGNS)
