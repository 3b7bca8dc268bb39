"""Augmentation: random light, colour, noise and shadows for batches of frames.

The frames are not mirrored: the camera sits left of the car's middle, and a mirrored frame would
be seen from the other side of it. Data sets are driven in both directions instead.
"""

from __future__ import annotations

import torch

_NOISE_POOL = 1 << 22


class Augmentation:
    """Changes batches of frames; the generator is its only source of randomness."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        # Drawing new noise costs more than the network: slices of a pool will do.
        self._noise = torch.randn(_NOISE_POOL, generator=generator)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Change float32 images (N, 3, H, W), 0..1, in place; returns them.

        Gain and offset for each image and for each channel, sensor noise, and on a third of the
        images a shaded band across and a patch of one colour.
        """
        count = len(images)
        gain = 1.0 + 0.3 * self._uniform(count, 1, 1, 1) + 0.08 * self._uniform(count, 3, 1, 1)
        offset = 0.06 * self._uniform(count, 1, 1, 1)
        images.mul_(gain).add_(offset)
        images.add_(self._noise_like(images) * 0.02 * self._uniform(count, 1, 1, 1).abs())
        for index in torch.nonzero(self._uniform(count) > 0.33).flatten().tolist():
            self._shade(images[index])
            self._cover(images[index])
        return images.clamp_(0.0, 1.0)

    def _uniform(self, *shape: int) -> torch.Tensor:
        """Return numbers drawn evenly from -1..1."""
        return torch.rand(*shape, generator=self._generator) * 2.0 - 1.0

    def _noise_like(self, images: torch.Tensor) -> torch.Tensor:
        size = images[0].numel()
        start = int(torch.randint(_NOISE_POOL - size, (1,), generator=self._generator))
        return self._noise[start : start + size].view(images[0].shape)

    def _span(self, size: int, largest: int) -> slice:
        length = int(torch.randint(2, largest, (1,), generator=self._generator))
        start = int(torch.randint(size, (1,), generator=self._generator))
        return slice(start, start + length)

    def _shade(self, image: torch.Tensor) -> None:
        """Darken or lighten a band of columns, as a shadow across the road does."""
        image[:, :, self._span(image.shape[2], 60)] *= 1.0 + 0.4 * float(self._uniform(1))

    def _cover(self, image: torch.Tensor) -> None:
        """Lay a small patch of any colour over the image: a mark that means nothing."""
        rows, columns = self._span(image.shape[1], 10), self._span(image.shape[2], 24)
        image[:, rows, columns] = torch.rand(3, 1, 1, generator=self._generator)
