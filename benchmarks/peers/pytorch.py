"""The model and the loop in PyTorch, by the variant given.

"contiguous", "channels_last" and "compile" are PyTorch as it comes, with digits in memory and no loader in between. "tied" adds to
"channels_last" what `convae_nb.layers.UpsampleConv2D` does: resize and convolution as one transposed convolution.
"""

import itertools
import os

import protocol
import torch
from torch import nn
from torch.nn import functional


class Autoencoder(nn.Module):
    def __init__(self, filters, tied):
        super().__init__()
        self.tied = tied
        self.encoder = convolutions([1, *filters])
        self.decoder = convolutions([filters[-1], *reversed(filters)])
        self.last = nn.Conv2d(filters[0], 1, 3, padding=1)

    def forward(self, maps):
        for convolution in self.encoder:
            maps = functional.max_pool2d(functional.relu(convolution(maps)), 2, ceil_mode=True)
        for convolution, size in zip(self.decoder, protocol.SIZES, strict=True):
            if self.tied and size == 2 * maps.shape[2]:
                maps = upsample_and_convolve(maps, convolution)
            else:
                maps = convolution(functional.interpolate(maps, (size, size), mode="nearest"))
            maps = functional.relu(maps)
        return self.last(maps)


def convolutions(depths):
    return nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in itertools.pairwise(depths))


def upsample_and_convolve(maps, convolution):
    kernel = convolution.weight  # (out, in, 3, 3)
    kernel = functional.pad(kernel, (1, 0)) + functional.pad(kernel, (0, 1))
    kernel = functional.pad(kernel, (0, 0, 1, 0)) + functional.pad(kernel, (0, 0, 0, 1))
    # A transposed convolution runs its kernel the other way round than a convolution.
    return functional.conv_transpose2d(maps, kernel.flip(2, 3).transpose(0, 1), convolution.bias, stride=2, padding=1)


class Trainer(protocol.Trainer):
    def __init__(self, filters, weights, noise, variant):
        torch.set_num_threads(os.cpu_count())
        self.noise = noise
        self.layout = torch.contiguous_format if variant == "contiguous" else torch.channels_last
        self.images = torch.from_numpy(protocol.images()).permute(0, 3, 1, 2)
        self.epoch, self.start = -1, len(self.images)
        model = Autoencoder(filters, tied=variant == "tied")
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), weights, strict=True):
                # Kernels are (out, in, height, width) here, (height, width, in, out) there.
                parameter.copy_(torch.from_numpy(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value))
        model = model.to(memory_format=self.layout)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=protocol.LEARNING_RATE, eps=protocol.EPSILON)
        self.model = torch.compile(model) if variant == "compile" else model

    def next_batch(self):
        if self.start == len(self.images):
            self.epoch, self.start = self.epoch + 1, 0
            self.order = torch.from_numpy(protocol.order(self.epoch))
        self.start += protocol.BATCH
        return self.images[self.order[self.start - protocol.BATCH : self.start]].contiguous(memory_format=self.layout)

    def step(self):
        images = noisy_images = self.next_batch()
        if self.noise:
            noisy_images = (images + self.noise * torch.randn_like(images)).clamp(0, 1)
        loss = functional.binary_cross_entropy_with_logits(self.model(noisy_images), images)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


if __name__ == "__main__":
    protocol.serve_trainer(Trainer)
