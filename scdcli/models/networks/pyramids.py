"""The asymmetric spatial and representation pyramids, aSP and aRP (ASN paper, Fig. 3 and 4).

Indices follow the paper: ``i`` counts the convolutions of one dilation (channel factor c_i), ``j``
the dilations (d_j; j = Nd + 1 is the global feature), ``k`` the representation capabilities (r_k).
All convolutions are 3×3 except the projections of skips. Eq. 3 is taken literally: every
convolution reads the feature itself, in parallel; `ChainedPyramid` has the other reading.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scdcli.models.networks.blocks import SLOPE, activation, conv, conv_bn, projection

DILATIONS = (1, 6, 12)  # the paper's d = {0, 6, 12}; 0 can only mean undilated
FACTORS = (1, 2, 3, 4, 5)  # c_i
CAPABILITIES = (16, 32, 64)  # r_k at width 1

# Features indexed [k][j], each (B, r_k, h, w).
Pyramid = list[list[Tensor]]

PAIRS = ("all", "symmetric", "none")


def linked(count: int, pairs: str) -> list[tuple[int, int]]:
    """Which of ``count`` features before and after are subtracted, by a name in `PAIRS`.

    Example: ``linked(2, "symmetric") == [(0, 0), (1, 1)]``.
    """
    if pairs == "all":
        return [(one, two) for one in range(count) for two in range(count)]
    return [(index, index) for index in range(count)] if pairs == "symmetric" else []


class BranchWeights(nn.Module):
    """Normalized branch weights (v of Eq. 3, w of Eq. 5–7): (B, S, h, w) → (B, count), sum 1."""

    def __init__(self, channels: int, count: int) -> None:
        """Global pooling is in `forward`; this builds the two-layer perceptron."""
        super().__init__()
        self.perceptron = nn.Sequential(
            nn.Linear(channels, channels), activation(), nn.Linear(channels, count)
        )

    def forward(self, shallow: Tensor) -> Tensor:
        """Weights from a shallow feature."""
        # Autocast leaves softmax in 32 bits; weights of 32 bits would lift all they weigh to them.
        weights = F.softmax(self.perceptron(shallow.mean(dim=(2, 3))), dim=1)
        return weights.to(shallow.dtype)


class SqueezeGate(nn.Module):
    """Concatenate, convolve to few channels, add a skip (g, h and ħ of Eq. 4, 6, 7)."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        """Build two convolutions and the projection of the skip."""
        super().__init__()
        self.squeeze = nn.Sequential(
            conv_bn(in_channels, out_channels), activation(), conv_bn(out_channels, out_channels)
        )
        self.skip = projection(skip_channels, out_channels)

    def forward(self, joined: Tensor, skip: Tensor) -> Tensor:
        """(B, I, h, w) and (B, S, h, w) → (B, O, h, w)."""
        return F.leaky_relu(self.squeeze(joined) + self.skip(skip), SLOPE)


class ConvolutionPyramid(nn.Module):
    """The sequences Φ_{j,k} with their gates g_{j,k} (Eq. 3, 4): F → {F_{j,k}}.

    All φ_{i,j,k} of one dilation read the same feature, so they are one convolution whose output
    channels are split by (k, i).
    """

    which_i: Tensor

    def __init__(self, channels: int, capabilities: Sequence[int]) -> None:
        """Build one wide convolution per dilation and one gate per (k, j)."""
        super().__init__()
        self.sizes = [sum(FACTORS) * r for r in capabilities]
        self.phi = nn.ModuleList(
            nn.Sequential(conv_bn(channels, sum(self.sizes), dilation=d), activation())
            for d in DILATIONS
        )
        self.gates = nn.ModuleList(  # k by k, j inside
            SqueezeGate(sum(FACTORS) * r, channels, r) for r in capabilities for _ in DILATIONS
        )
        which_i = [i for r in capabilities for i, c in enumerate(FACTORS) for _ in range(c * r)]
        self.register_buffer("which_i", torch.tensor(which_i), persistent=False)

    def forward(self, feature: Tensor, weights: Tensor) -> Pyramid:
        """Features [k][j] from (B, C, h, w) and v (B, Nc·Nd), ordered (j, i)."""
        by_dilation = []
        for j, phi in enumerate(self.phi):
            v = weights[:, j * len(FACTORS) : (j + 1) * len(FACTORS)]
            scale = v[:, self.which_i, None, None]  # (B, sum of c·r, 1, 1)
            by_dilation.append((scale * phi(feature)).split(self.sizes, dim=1))
        count = len(DILATIONS)
        return [
            [self.gates[k * count + j](by_dilation[j][k], feature) for j in range(count)]
            for k in range(len(self.sizes))
        ]


class ChainedPyramid(nn.Module):
    """Φ_{j,k} as a sequence: each φ reads what the one before it gives, the first one F.

    The gate gets what all of them give. Five convolutions in a row see 88, 488 and 968 pixels of
    the image at the three dilations; side by side they see 24, 104 and 200.
    """

    def __init__(self, channels: int, capabilities: Sequence[int]) -> None:
        """Build a sequence and a gate per (k, j)."""
        super().__init__()
        self.sequences = nn.ModuleList(  # k by k, j inside
            nn.ModuleList(
                nn.Sequential(conv_bn(inputs, outputs, dilation=d), activation())
                for inputs, outputs in pairwise([channels, *(c * r for c in FACTORS)])
            )
            for r in capabilities
            for d in DILATIONS
        )
        self.gates = nn.ModuleList(
            SqueezeGate(sum(FACTORS) * r, channels, r) for r in capabilities for _ in DILATIONS
        )

    def forward(self, feature: Tensor, weights: Tensor) -> Pyramid:
        """Features [k][j] from (B, C, h, w) and v (B, Nc·Nd), ordered (j, i)."""
        count, steps = len(DILATIONS), len(FACTORS)
        features = []
        for place, (sequence, gate) in enumerate(zip(self.sequences, self.gates, strict=True)):
            first = place % count * steps
            x, parts = feature, []
            for i, phi in enumerate(sequence.children()):
                x = phi(x)
                parts.append(weights[:, first + i, None, None, None] * x)
            features.append(gate(torch.cat(parts, dim=1), feature))
        return [features[start : start + count] for start in range(0, len(features), count)]


class PyramidFusion(nn.Module):
    """F_k = gate(w_k · ∪_j F_{j,k}, F_s) with the global feature as j = Nd + 1 (Eq. 6, 7)."""

    def __init__(self, channels: int, shallow: int, capabilities: Sequence[int]) -> None:
        """Build the projections of the pooled feature and one gate per k."""
        super().__init__()
        count = len(DILATIONS) + 1
        self.globals = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, r), activation()) for r in capabilities
        )
        self.gates = nn.ModuleList(SqueezeGate(count * r, shallow, r) for r in capabilities)

    def forward(
        self, pyramid: Pyramid, feature: Tensor, shallow: Tensor, weights: Tensor
    ) -> list[Tensor]:
        """One (B, r_k, h, w) feature per k; ``weights`` is w, (B, Nr)."""
        pooled = feature.mean(dim=(2, 3))
        fused = []
        for k, (project, gate) in enumerate(zip(self.globals, self.gates, strict=True)):
            everywhere = project(pooled)[:, :, None, None].expand_as(pyramid[k][0])
            joined = torch.cat((*pyramid[k], everywhere), dim=1)
            fused.append(gate(weights[:, k, None, None, None] * joined, shallow))
        return fused


class PairFusion(nn.Module):
    """Differences of all index pairs, activated and convolved (after Eq. 5 and Eq. 8).

    Without the activation in between, the pairs would collapse into a linear map of their parts.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Build the convolution that reads all pairs at once."""
        super().__init__()
        self.convolve = nn.Sequential(conv_bn(in_channels, out_channels), activation())

    def forward(self, differences: list[Tensor]) -> Tensor:
        """Any number of (B, c, h, w) differences → (B, O, h, w)."""
        return self.convolve(F.leaky_relu(torch.cat(differences, dim=1), SLOPE))  # type: ignore[no-any-return]


class SpatialPyramid(nn.Module):
    """aSP: pyramids of both dates, fused for each date and linked in pairs across dates."""

    def __init__(
        self,
        channels: int,
        shallow: int,
        capabilities: Sequence[int],
        *,
        pairs: str = "all",
        convolutions: type[nn.Module] = ConvolutionPyramid,
    ) -> None:
        """``channels`` of F, ``shallow`` channels of F_s; all parts are shared by the dates.

        ``pairs`` is a name in `PAIRS`: with "none" it is only multi-scale, one sense of the
        ablation of the pairs (Table V). ``convolutions`` makes the sequences.
        """
        super().__init__()
        self.v = BranchWeights(shallow, len(FACTORS) * len(DILATIONS))
        self.w = BranchWeights(shallow, len(capabilities))
        self.convolutions = convolutions(channels, capabilities)
        self.fusion = PyramidFusion(channels, shallow, capabilities)
        self.to_decoder = nn.Sequential(conv_bn(sum(capabilities), channels), activation())
        self.linked = linked(len(DILATIONS), pairs)
        count = len(self.linked) * sum(capabilities)
        self.pairs = PairFusion(count, channels) if count else None

    def forward(self, feature: Tensor, shallow: Tensor) -> tuple[Tensor, Tensor | None, Pyramid]:
        """Both dates in one batch, the first half BEFORE.

        Args:
            feature: F of the semantic decoders, (2B, C, h, w).
            shallow: F_s of the images, (2B, S, h, w).

        Returns:
            The feature for the semantic decoders (2B, C, h, w); the fused pairs M for the change
            decoder (B, C, h, w), None without pairs; F_{j,k} of both dates, [k][j] of
            (2B, r_k, h, w).
        """
        w = self.w(shallow)
        pyramid = self.convolutions(feature, self.v(shallow))
        fused = self.fusion(pyramid, feature, shallow, w)
        semantic = self.to_decoder(torch.cat(fused, dim=1))
        if self.pairs is None:
            return semantic, None, pyramid
        differences: list[Tensor] = []
        for k, row in enumerate(pyramid):  # Eq. 5
            weighted = [(w[:, k, None, None, None] * f).chunk(2) for f in row]
            differences += [weighted[j1][0] - weighted[j2][1] for j1, j2 in self.linked]
        return semantic, self.pairs(differences), pyramid


class RepresentationPyramid(nn.Module):
    """aRP: the change branch's own pyramid, joined with each date's and linked in pairs."""

    def __init__(
        self,
        channels: int,
        shallow: int,
        capabilities: Sequence[int],
        *,
        convolutions: type[nn.Module] = ConvolutionPyramid,
    ) -> None:
        """``channels`` of F^c, ``shallow`` channels of the pair's F_s^c."""
        super().__init__()
        # Eq. 8 subtracts across k, so every M_k has one width: the middle capability.
        self.common = capabilities[len(capabilities) // 2]
        self.v = BranchWeights(shallow, len(FACTORS) * len(DILATIONS))
        self.w = BranchWeights(shallow, len(capabilities))
        self.convolutions = convolutions(channels, capabilities)
        self.fusion = PyramidFusion(channels, shallow, capabilities)
        joined = len(DILATIONS) + 1
        self.to_common = nn.ModuleList(conv_bn(joined * r, self.common) for r in capabilities)
        self.linked = linked(len(capabilities), "all")
        self.pairs = PairFusion(len(self.linked) * self.common, channels)

    def forward(self, feature: Tensor, shallow: Tensor, dates: Pyramid) -> Tensor:
        """The fused pairs M^c for the change decoder.

        Args:
            feature: F^c of the change decoder, (B, C, h, w).
            shallow: F_s^c of the pair, (B, S, h, w).
            dates: F_{j,k} of both dates from aSP, [k][j] of (2B, r_k, h, w).

        Returns:
            (B, C, h, w).
        """
        pyramid = self.convolutions(feature, self.v(shallow))
        fused = self.fusion(pyramid, feature, shallow, self.w(shallow))
        representations = []
        for convolve, change, row in zip(self.to_common, fused, dates, strict=True):
            joined = torch.cat((change.repeat(2, 1, 1, 1), *row), dim=1)
            representations.append(convolve(joined).chunk(2))  # M_k(1), M_k(2)
        differences = [representations[k1][0] - representations[k2][1] for k1, k2 in self.linked]
        return self.pairs(differences)  # type: ignore[no-any-return]


class LikeRepresentations(nn.Module):
    """aRP with pairs of one k only: M_k(1) - M_k(2).

    Both have the same F_k^c in them and are linear in it, so that it falls out, and with it the
    change branch's own pyramid.
    """

    def __init__(self, channels: int, shallow: int, capabilities: Sequence[int]) -> None:
        """As `RepresentationPyramid`."""
        super().__init__()
        common = capabilities[len(capabilities) // 2]
        self.to_common = nn.ModuleList(conv(len(DILATIONS) * r, common) for r in capabilities)
        self.pairs = PairFusion(len(capabilities) * common, channels)

    def forward(self, feature: Tensor, shallow: Tensor, dates: Pyramid) -> Tensor:
        """As `RepresentationPyramid.forward`; only ``dates`` are read."""
        before, after = zip(*(torch.cat(row, dim=1).chunk(2) for row in dates), strict=True)
        differences = [one - two for one, two in zip(before, after, strict=True)]
        linear = zip(self.to_common, differences, strict=True)
        return self.pairs([convolve(x) for convolve, x in linear])  # type: ignore[no-any-return]
