"""A small GPT on characters, for every workload that needs a language model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workloads.library.language.text import VOCABULARY
from workloads.torch import dropout

Memory = dict[int, tuple[Tensor, Tensor]]
"""Keys and values of the characters so far, by layer, each ``(n, heads, length, width / heads)``."""


class GPT(nn.Module):
    """A decoder-only transformer with pre-normalisation, learned positions and tied embeddings (GPT-2).

    Attention is written out: under ``vmap`` on a CPU torch's own falls back to a loop.
    """

    def __init__(self, context: int, layers: int, heads: int, width: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(VOCABULARY, width)
        self.positions = nn.Parameter(torch.empty(context, width))
        blocks = [Block(heads, width, layer) for layer in range(layers)]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, VOCABULARY, bias=False)
        self.output.weight = self.characters.weight
        self.dropout_layer = 3 * layers
        nn.init.normal_(self.characters.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.02)
        for block in blocks:
            for projection in (block.attention_output, block.narrow):
                # Keeps the variance of the residual stream as it was with fewer layers (GPT-2).
                nn.init.normal_(projection.weight, std=0.02 / (2 * layers) ** 0.5)

    def forward(
        self,
        inputs: Tensor,
        probability: Tensor | None = None,
        key: Tensor | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """Logits ``(n, length, 65)`` of characters, int64 ``(n, length)``.

        With a memory the inputs follow the characters that it holds, and join them.
        """
        before = memory[0][0].shape[-2] if memory else 0
        features = self.characters(inputs) + self.positions[before : before + inputs.shape[-1]]
        features = dropout(features, probability, key, self.dropout_layer)
        for block in self.blocks:
            features = block(features, probability, key, memory)
        logits: Tensor = self.output(self.norm(features))
        return logits


class Block(nn.Module):
    """Causal self-attention and a feed-forward network, each added to the residual stream."""

    def __init__(self, heads: int, width: int, layer: int) -> None:
        super().__init__()
        self.heads, self.layer = heads, layer
        self.attention_norm = nn.LayerNorm(width)
        self.attention_input = nn.Linear(width, 3 * width)
        self.attention_output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        for projection in (self.attention_input, self.attention_output, self.widen, self.narrow):
            nn.init.normal_(projection.weight, std=0.02)
            nn.init.zeros_(projection.bias)

    def forward(
        self, features: Tensor, probability: Tensor | None, key: Tensor | None, memory: Memory | None
    ) -> Tensor:
        """Features ``(n, length, width)`` from such."""
        attended = self.attended(features, probability, key, memory)
        features = features + dropout(attended, probability, key, 3 * self.layer)
        fed = self.fed(self.norm(features))
        outputs: Tensor = features + dropout(fed, probability, key, 3 * self.layer + 1)
        return outputs

    def attended(
        self,
        features: Tensor,
        probability: Tensor | None = None,
        key: Tensor | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """What attention adds to such features; with a memory they also attend to what it holds."""
        attended: Tensor = self.attention_output(
            self._attend(self.attention_norm(features), probability, key, memory)
        )
        return attended

    def fed(self, normed: Tensor) -> Tensor:
        """What the feed-forward network makes of normalised features."""
        outputs: Tensor = self.narrow(nn.functional.gelu(self.widen(normed), approximate="tanh"))
        return outputs

    def _attend(
        self,
        features: Tensor,
        probability: Tensor | None,
        key: Tensor | None,
        memory: Memory | None = None,
    ) -> Tensor:
        count, length, width = features.shape
        parts = self.attention_input(features).view(count, length, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind()
        if memory is not None:
            if self.layer in memory:
                earlier = zip(memory[self.layer], (keys, values), strict=True)
                keys, values = (torch.cat(pair, dim=-2) for pair in earlier)
            memory[self.layer] = keys, values
        scores = queries @ keys.transpose(-2, -1) * (width // self.heads) ** -0.5
        seen = keys.shape[-2]
        future = torch.ones(length, seen, dtype=torch.bool, device=features.device).triu(1 + seen - length)
        shares = torch.softmax(scores.masked_fill(future, -torch.inf), dim=-1)
        shares = dropout(shares, probability, key, 3 * self.layer + 2)
        attended: Tensor = (shares @ values).transpose(1, 2).reshape(count, length, width)
        return attended
