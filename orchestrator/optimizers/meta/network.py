"""The transformer neural process: what results of some configurations say about others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from orchestrator.optimizers.meta.buckets import COUNT

_LENGTHS = (0.05, 0.15, 0.45)
_BASIS = len(_LENGTHS) + 3
_PLACES = 3
_PAIRS = 6
_SIMILARITY = 6.0


@dataclass(frozen=True)
class Shape:
    """The size of a network.

    Args:
        width: of a token.
        layers: of attention.
        heads: of each.
        relevance: numbers that say what a parameter is like.
    """

    width: int = 64
    layers: int = 6
    heads: int = 8
    relevance: int = 16


class NeuralProcess(nn.Module):
    """Predicts losses of configurations from results of others, for spaces of any parameters.

    A transformer neural process (Nguyen and Grover 2022), as in NAP (Maraval et al. 2023): results are tokens
    that attend to one another, queries are tokens that attend to the results alone. So the order of the
    results does not matter, nor which queries are asked together. A distribution over buckets comes out
    (Müller et al. 2022).

    What differs from both is how a configuration gets in. There its values, up to a largest number of
    parameters, are the features of its token. Here attention depends on the *differences* of two
    configurations in each parameter, by weights that all parameters share (like translation-equivariant
    neural processes, Ashman et al. 2024); they depend on how *relevant* a parameter is, which is read off all
    pairs of results, like length scales are fitted to them. So there may be any number of parameters, in any
    order, and a category is as far from each other one.

    Args:
        shape: its size.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.relevance = _Relevance(shape.relevance)
        self.metric = nn.Linear(shape.relevance, shape.layers * shape.heads * _BASIS)
        self.place = nn.Linear(shape.relevance, shape.width * _PLACES)
        self.result = nn.Sequential(nn.Linear(6, shape.width), nn.GELU(), nn.Linear(shape.width, shape.width))
        self.query = nn.Linear(2, shape.width)
        self.blocks = nn.ModuleList(_Block(shape) for _ in range(shape.layers))
        self.head = nn.Sequential(nn.LayerNorm(shape.width), nn.Linear(shape.width, COUNT + 2))
        nn.init.normal_(self.place.weight, std=0.02)

    def forward(self, known: Tensor, losses: Tensor, queries: Tensor, categorical: Tensor) -> Tensor:
        """Logits of buckets, ``(functions, m, buckets)``, of several functions over the same space.

        Args:
            known: configurations with results as coordinates in [0, 1], NaN where inactive, ``(n, dim)``.
            losses: of each function there, on their scale, ``(functions, n)``.
            queries: configurations to predict, ``(m, dim)``.
            categorical: which parameters are, ``(dim,)``.
        """
        points = torch.cat([known, queries])
        basis = distance_basis(points, known, categorical)
        relevance = self.relevance(basis[: len(known)], known, losses, categorical)
        tokens = self._tokens(points, losses, relevance, categorical)
        bias = self._bias(basis, relevance)
        for layer, block in enumerate(self.blocks):
            tokens = block(tokens, bias[:, layer])
        logits: Tensor = self.head(tokens[:, len(known) :])
        return logits

    def _tokens(self, points: Tensor, losses: Tensor, relevance: Tensor, categorical: Tensor) -> Tensor:
        """Of results, then of queries, ``(functions, n + m, width)``: what and where they are."""
        functions, dim, _ = relevance.shape
        count = torch.tensor([math.log(losses.shape[1]), math.log(dim)]).expand(functions, 2)
        results = losses.shape[1]
        told = self.result(torch.cat([_features(losses), count[:, None].expand(-1, results, 2)], -1))
        asked = self.query(count)[:, None].expand(-1, len(points) - results, -1)
        weights = self.place(relevance).view(functions, dim * _PLACES, self.shape.width) / math.sqrt(dim)
        places: Tensor = place_basis(points, categorical).flatten(1) @ weights
        return torch.cat([told, asked], 1) + places

    def _bias(self, basis: Tensor, relevance: Tensor) -> Tensor:
        """What distances add to attention, ``(functions, layers, heads, n + m, n)``; nothing where equal."""
        functions, dim, _ = relevance.shape
        weights = nn.functional.softplus(self.metric(relevance))
        weights = (
            weights.view(functions, dim, -1, _BASIS).transpose(2, 3).reshape(functions, dim * _BASIS, -1)
        )
        bias = -(basis.flatten(0, 1).flatten(1) @ weights)
        return bias.view(functions, *basis.shape[:2], self.shape.layers, -1).permute(0, 3, 4, 1, 2)


class _Relevance(nn.Module):
    """What each parameter is like, from all pairs of results: how losses differ where its values do."""

    def __init__(self, size: int) -> None:
        super().__init__()
        inputs = (_BASIS + 1) * (_PAIRS + 1) + 3 * _PLACES + 3
        self.own = nn.Sequential(nn.Linear(inputs, 64), nn.GELU(), nn.Linear(64, 32))
        self.among = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, size))

    def forward(self, basis: Tensor, known: Tensor, losses: Tensor, categorical: Tensor) -> Tensor:
        """``(functions, dim, size)``."""
        statistics = torch.cat([self._pairs(basis, losses), self._points(known, losses, categorical)], -1)
        functions, dim, _ = statistics.shape
        kind = categorical.to(losses.dtype)[None, :, None].expand(functions, dim, 1)
        count = torch.tensor([math.log(len(known)), math.log(dim)]).expand(functions, dim, 2)
        own = self.own(torch.cat([statistics, kind, count], -1))
        relevance: Tensor = self.among(torch.cat([own, own.mean(1, keepdim=True).expand_as(own)], -1))
        return relevance

    def _pairs(self, basis: Tensor, losses: Tensor) -> Tensor:
        """Mean products of what pairs are like in a parameter, and in their losses."""
        n, _, dim, _ = basis.shape
        apart = torch.cat([torch.ones(n, n, dim, 1), basis], -1)
        first, second = losses[:, :, None], losses[:, None]
        difference = first - second
        alike = torch.exp(-_SIMILARITY * basis[..., 0].mean(-1)).expand_as(difference)
        good = torch.exp(-torch.minimum(first, second))
        features = [
            difference.abs(),
            difference**2 / 4,
            alike,
            alike * difference**2,
            good,
            good * difference.abs(),
        ]
        stacked = torch.stack([torch.ones_like(difference), *features], -1)
        means = torch.einsum("ijdk,fijl->fdkl", apart, stacked) / n**2
        return means.flatten(2)

    def _points(self, known: Tensor, losses: Tensor, categorical: Tensor) -> Tensor:
        """Mean products of a parameter's value and the losses."""
        good = torch.stack([torch.ones_like(losses), losses, torch.exp(-losses)], -1)
        means = torch.einsum("idp,fil->fdpl", place_basis(known, categorical), good) / len(known)
        return means.flatten(2)


class _Block(nn.Module):
    """Attention to the results, and to nothing where none is near; then a layer for each token."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, self.heads = shape.width, shape.heads
        self.norm, self.queries = nn.LayerNorm(width), nn.Linear(width, width)
        self.keys, self.values = nn.Linear(width, width, bias=False), nn.Linear(width, width)
        self.none, self.none_value = nn.Parameter(torch.zeros(shape.heads)), nn.Parameter(torch.zeros(width))
        self.out = nn.Linear(width, width)
        self.own = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """``(functions, n + m, width)`` again; ``bias`` has shape ``(functions, heads, n + m, n)``."""
        normed = self.norm(tokens)
        results = normed[:, : bias.shape[-1]]
        queries, keys = self._split(self.queries(normed)), self._split(self.keys(results))
        values = self._split(torch.cat([self.values(results), self.none_value.expand(len(tokens), 1, -1)], 1))
        logits = queries @ keys.transpose(-1, -2) / math.sqrt(keys.shape[-1]) + bias
        # Softmax forgets how near the nearest result is. The share of "none" tells.
        none = self.none[None, :, None, None].expand(*logits.shape[:3], 1)
        attended = torch.softmax(torch.cat([logits, none], -1), -1) @ values
        tokens = tokens + self.out(attended.transpose(1, 2).flatten(2))
        result: Tensor = tokens + self.own(tokens)
        return result

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.view(*tokens.shape[:2], self.heads, -1).transpose(1, 2)


def differences(left: Tensor, right: Tensor, categorical: Tensor) -> Tensor:
    """How far configurations are apart in each parameter, ``(n, m, dim)``.

    Two categories differ by 1, and so do an active and an inactive parameter; two inactive ones by 0.
    """
    apart = (left[:, None] - right[None]).abs()
    apart = torch.where(categorical & (apart > 0), torch.ones_like(apart), apart)
    both = left.isnan()[:, None] & right.isnan()[None]
    return torch.where(both, torch.zeros_like(apart), apart.nan_to_num(1.0))


def distance_basis(left: Tensor, right: Tensor, categorical: Tensor) -> Tensor:
    """Functions of the differences that are 0 where there is none, ``(n, m, dim, basis)``."""
    apart = differences(left, right, categorical)
    bells = [1 - torch.exp(-0.5 * (apart / length) ** 2) for length in _LENGTHS]
    return torch.stack([apart, apart**2, 1 - torch.exp(-apart / 0.2), *bells], -1)


def place_basis(points: Tensor, categorical: Tensor) -> Tensor:
    """Where numbers are in their ranges, and what is inactive, ``(n, dim, 3)``; nothing of categories."""
    centred = torch.where(categorical, torch.zeros_like(points), 2 * points - 1).nan_to_num(0.0)
    return torch.stack([centred, centred**2, points.isnan().to(points.dtype)], -1)


def _features(losses: Tensor) -> Tensor:
    """Of scaled losses, ``(functions, n, 4)``."""
    rank = (losses[..., None, :] < losses[..., None]).to(losses.dtype).mean(-1)
    return torch.stack([losses, torch.exp(-losses), losses**2 / 8, rank], -1)
