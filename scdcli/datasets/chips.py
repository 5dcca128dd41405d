"""Samples as chips in batches: what a network is trained and validated on."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from scdcli.datasets.augment import augment
from scdcli.datasets.augmentation import Augmentation
from scdcli.datasets.dataset import other_bands, read_pair
from scdcli.datasets.samples import Sample
from scdcli.datasets.scenewindows import Scenes
from scdcli.errors import ScdError, TrainingError
from scdcli.legend import Legend
from scdcli.rasters.pair.mappings import MeanStd


class Chips(Dataset[dict[str, Tensor] | ScdError]):
    """Samples as tensors; each item depends only on the seed and its number.

    Of N samples, number e · N + i is sample i as it is drawn in epoch e: so processes that prepare
    chips need not be told of the epoch, and can stay from one to the next.

    A sample that cannot be read comes as its error, since an exception raised in a loader's
    process would arrive with a traceback in its text.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        legend: Legend,
        *,
        bands: int,
        cover: bool,
        mean_std: MeanStd | None = None,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        """Samples of a set.

        Each image as a whole is brought to ``mean_std``. Without augmentation samples come out
        whole.

        Raises:
            ScdError: A scene cannot be read.
        """
        self.samples = list(samples)
        self.scenes = Scenes(samples, legend, mean_std)
        self.legend = legend
        self.bands = bands
        self.cover = cover
        self.mean_std = mean_std
        self.augmentation = augmentation
        self.seed = seed

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.samples)

    def __getitem__(self, number: int) -> dict[str, Tensor] | ScdError:
        """``before, after`` (C, H, W) float32; ``from_label, to_label, changed`` (H, W) int64."""
        try:
            return self._read(number)
        except ScdError as error:
            return error

    def _read(self, number: int) -> dict[str, Tensor]:
        epoch, index = divmod(number, len(self.samples))
        sample = self.samples[index]
        rng = np.random.default_rng((self.seed, epoch, index))
        if sample.windowed:
            pair = self.scenes.read(sample, self.augmentation, rng)
        else:
            pair = read_pair(sample, self.legend, cover=self.cover, mean_std=self.mean_std)
            if self.augmentation is not None:
                pair = augment(pair, self.augmentation, rng)
        if len(pair.before) != self.bands:
            raise other_bands(sample.name, len(pair.before), self.bands)
        images = {
            name: image.float().contiguous()
            for name, image in (("before", pair.before), ("after", pair.after))
        }
        labels = dict(zip(("from_label", "to_label", "changed"), pair.maps(), strict=True))
        return images | {name: label.long() for name, label in labels.items()}


class Batches:
    """Batches of chips, prepared here or in other processes, which stay until the end."""

    def __init__(self, chips: Chips, workers: int, *, pin_memory: bool = False) -> None:
        """Chips, and who prepares them."""
        self._workers = workers
        self._plan: list[list[int]] = []  # the loader looks at it anew for every iteration
        self._loader = DataLoader(
            chips,
            batch_sampler=self._plan,
            num_workers=workers,
            collate_fn=_collate,
            pin_memory=pin_memory,
            persistent_workers=workers > 0,
        )

    def of(self, plan: Iterable[Sequence[int]]) -> Iterator[dict[str, Tensor]]:
        """The batches of a plan, in order.

        Raises:
            ScdError: A sample cannot be read; with the message it would have without workers.
            TrainingError: A worker was killed.
        """
        self._plan[:] = map(list, plan)
        loaded = iter(self._loader)
        while (batch := self._next(loaded)) is not None:
            if isinstance(batch, ScdError):
                raise batch
            yield batch

    def _next(
        self, loaded: Iterator[dict[str, Tensor] | ScdError]
    ) -> dict[str, Tensor] | ScdError | None:
        try:
            return next(loaded, None)
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise TrainingError(
                f"one of the {self._workers} processes that prepare data was killed, perhaps for "
                "want of memory; use fewer --workers, and go on with --resume."
            ) from error


def _collate(items: list[dict[str, Tensor] | ScdError]) -> dict[str, Tensor] | ScdError:
    good = [item for item in items if not isinstance(item, ScdError)]
    bad = [item for item in items if isinstance(item, ScdError)]
    collated: dict[str, Tensor] = default_collate(good) if not bad else {}
    return bad[0] if bad else collated
