"""Labels as the sum of their words, so that "arco a2" and "pizz a2" share what they have in common."""

import torch
from torch import Tensor, nn


class WordLabels(nn.Module):
    """Numbers of labels (B,) to vectors (B, width); the number after the last label means that nothing is told."""

    def __init__(self, labels: list[str], width: int) -> None:
        super().__init__()
        words = sorted({word for label in labels for word in label.split()})
        bags = torch.zeros(len(labels) + 1, len(words) + 1)
        for number, label in enumerate(labels):
            for word in label.split():
                bags[number, words.index(word)] = 1.0
        bags[-1, -1] = 1.0
        self.register_buffer("bags", bags, persistent=False)
        self.words = nn.Parameter(torch.randn(len(words) + 1, width))

    def forward(self, numbers: Tensor) -> Tensor:
        return self.bags[numbers] @ self.words
