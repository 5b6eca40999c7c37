"""The decoders' ways up by 2, by name. The names are at hand without TensorFlow, which each way brings in when it builds its layers."""

import functools
from collections.abc import Callable

MAPS = {"data_format": "channels_last", "dtype": "float32"}
SAME = {"padding": "same", **MAPS}


def _nearest(maps, filters, kernel_size, target_size, **options):
    from convae_nb.models import layers

    return layers.UpsampleConv2D(filters, kernel_size, target_size=target_size, **options)(maps)


def _bilinear(maps, filters, kernel_size, target_size, *, name, **options):
    from convae_nb._base.tensorflow import keras

    # Cropped before the convolution, as `_nearest` is, so that the two differ in nothing but the interpolation.
    maps = keras.layers.UpSampling2D(2, interpolation="bilinear", **MAPS, name=f"{name}_resize")(maps)
    return keras.layers.Conv2D(filters, kernel_size, **SAME, name=name, **options)(_cropped(maps, target_size, name))


def _transposed(maps, filters, kernel_size, target_size, *, side, name, **options):
    from convae_nb._base.tensorflow import keras

    # Its kernel has a side of its own, whatever the `kernel_size` of the other convolutions.
    maps = keras.layers.Conv2DTranspose(filters, side, 2, **SAME, name=name, **options)(maps)
    return _cropped(maps, target_size, name)


def _subpixel(maps, filters, kernel_size, target_size, **options):
    from convae_nb.models import layers

    return layers.SubpixelConv2D(filters, kernel_size, target_size=target_size, **options)(maps)


def _cropped(maps, target_size, name):
    from convae_nb._base.tensorflow import keras

    bottom, right = (size - target for size, target in zip(maps.shape[1:3], target_size, strict=True))
    if bottom or right:
        maps = keras.layers.Cropping2D(((0, bottom), (0, right)), **MAPS, name=f"{name}_crop")(maps)
    return maps


#: The ways up by 2, by name. Each takes feature maps to `filters` maps of exactly ``target_size``; ``options`` are those of a Keras layer.
DECODERS: dict[str, Callable] = {
    "nearest": _nearest,  # nearest-neighbour resize, then convolution
    "bilinear": _bilinear,  # bilinear resize (half-pixel centres), then convolution
    "transposed_3x3": functools.partial(_transposed, side=3),  # transposed convolution of stride 2, which does not divide its kernel
    "transposed_4x4": functools.partial(_transposed, side=4),  # one whose kernel it divides
    "transposed_2x2": functools.partial(_transposed, side=2),  # one whose kernel it equals
    "subpixel": _subpixel,  # convolution to four times the maps, laid side by side
}
