"""The layers that Keras lacks: nearest-neighbour resize and convolution in one, sub-pixel convolution, and a fast one to a single map.

Feature maps are float32 ``(batch, height, width, channels)``, whatever the user's ``keras.json`` says. Keras knows these layers in a
saved model once this module is imported.
"""

from collections.abc import Callable
from typing import Any

from convae_nb._base.tensorflow import keras, tf

# What the layers have no choice of: passing one of these is an error.
_FIXED = {"strides": 1, "padding": "same", "data_format": "channels_last", "dilation_rate": 1, "groups": 1}


class _SameConv2D(keras.layers.Conv2D):
    """What the layers share: stride 1 and zero padding, the bias and activation at their end, and the configuration."""

    def __init__(self, filters: int, kernel_size: int = 3, *, activation: str | Callable | None = None, **options: Any):
        super().__init__(filters, kernel_size, activation=activation, **_FIXED, **({"dtype": "float32"} | options))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        outputs = self._convolve(inputs)
        return self.activation(tf.nn.bias_add(outputs, self.bias) if self.use_bias else outputs)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name not in _FIXED}


class _DoublingConv2D(_SameConv2D):
    """What the layers that double the size share: the size that comes out."""

    def __init__(self, filters: int, kernel_size: int = 3, *, target_size: tuple[int, int] | None = None, **options: Any):
        super().__init__(filters, kernel_size, **options)
        self.target_size = None if target_size is None else tuple(target_size)

    def _output_size(self, input_size):
        if None in input_size:
            raise ValueError(f"the input's height and width must be known, got {tuple(input_size)}")
        doubled = tuple(2 * size for size in input_size)
        target = self.target_size or doubled
        if any(size not in (full, full - 1) for size, full in zip(target, doubled, strict=True)):
            raise ValueError(f"target_size must be twice the input or one pixel less, got {target} for an input of {tuple(input_size)}")
        return target

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], *self._output_size(input_shape[1:3]), self.filters)

    def _convolve(self, inputs):
        return self._upsample(inputs, *self._output_size(inputs.shape[1:3]))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"target_size": self.target_size}


@keras.saving.register_keras_serializable(package="convae_nb")
class UpsampleConv2D(_DoublingConv2D):
    """Resize by nearest neighbour to twice the size, then convolve ('same', stride 1), computed in one step.

    Each input value fills a 2x2 block of the resized map, and the convolution weighs every cell of that block: so the pair is
    a transposed convolution of stride 2 whose kernel is the given one convolved with a 2x2 box. A 3x3 kernel becomes a 4x4 one,
    and an output pixel sums 4 products instead of 9; its four phases sum alike, which is why no checkerboard can
    arise from flat input [1]_. Weights and function are those of ``UpSampling2D(2)`` followed by ``Conv2D``.

    A target of one pixel less is cropped, bottom and right, before the convolution, whose zero padding starts at the crop: the
    same rows as TensorFlow 1's ``resize_nearest_neighbor``, ``source = floor(target * in / out)``. There the two steps are
    computed one after the other.

    Parameters
    ----------
    filters : int
        Feature maps that come out.
    kernel_size : int
        Side of the square kernel.
    target_size : tuple of int, (height, width), optional
        Size that comes out, in pixels; each axis twice the input's or one less. None is twice the input.
    activation : str or callable, optional
        As in ``keras.layers.Conv2D``.
    **options
        Further arguments of ``keras.layers.Layer`` and the initialisers, regularisers and constraints of ``Conv2D``.

    Raises
    ------
    ValueError
        If the target is neither twice the input nor one pixel less.

    References
    ----------
    .. [1] A. Odena et al., "Deconvolution and Checkerboard Artifacts", Distill, 2016, doi:10.23915/distill.00003.

    Examples
    --------
    >>> layer = UpsampleConv2D(1, 1, target_size=(3, 4), kernel_initializer="ones")
    >>> layer(tf.reshape([1.0, 2.0, 3.0, 4.0], (1, 2, 2, 1)))[0, :, :, 0].numpy()
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.],
           [3., 3., 4., 4.]], dtype=float32)
    """

    def _upsample(self, inputs, height, width):
        if (height, width) == (2 * inputs.shape[1], 2 * inputs.shape[2]):
            # Padding as 'same' pads the resized map. The transposed convolution's own 'same' is that for odd kernels, and the only one
            # that oneDNN's fast kernels know; for even ones it would be off by a pixel.
            padding = "SAME"
            if not all(size % 2 for size in self.kernel_size):
                padding = [[0, 0], *([size // 2, (size - 1) // 2] for size in self.kernel_size), [0, 0]]
            shape = (tf.shape(inputs)[0], height, width, self.filters)
            return tf.nn.conv2d_transpose(inputs, _tied(self.kernel), shape, 2, padding)
        resized = tf.repeat(tf.repeat(inputs, 2, axis=1), 2, axis=2)
        resized = tf.slice(resized, (0, 0, 0, 0), (-1, height, width, -1))  # whose gradient is faster than that of brackets
        return tf.nn.conv2d(resized, self.kernel, 1, "SAME")


@keras.saving.register_keras_serializable(package="convae_nb")
class SubpixelConv2D(_DoublingConv2D):
    """Convolve ('same', stride 1) to four maps for each one that comes out, and lay their pixels side by side: twice the size.

    Output pixel ``(2 i + p, 2 j + q)`` of a channel is pixel ``(i, j)`` of that channel's map number ``2 p + q`` [1]_: each of the four
    phases has a sub-kernel of its own. They start alike [2]_, so that the layer starts as a convolution followed by a nearest-neighbour
    resize, without a checkerboard; training may bring one. The bias is added after the shuffle, one a channel: one a phase would lay
    a checkerboard by itself.

    The kernel has the shape ``(kernel_size, kernel_size, channels, 4 * filters)``; phase ``2 p + q`` has the `filters` sub-kernels from
    ``(2 p + q) * filters`` on, as in ``tf.nn.depth_to_space``. The initialiser draws those of one phase, so that Glorot's fan-in and
    fan-out are those of a convolution to `filters` maps, and the others repeat them.

    Parameters
    ----------
    filters : int
        Feature maps that come out.
    kernel_size : int
        Side of the square kernels, in pixels of the input.
    target_size : tuple of int, (height, width), optional
        As in `UpsampleConv2D`, but cropped after the convolution.
    activation : str or callable, optional
        As in ``keras.layers.Conv2D``.
    **options
        As in `UpsampleConv2D`.

    Raises
    ------
    ValueError
        If the target is neither twice the input nor one pixel less.

    References
    ----------
    .. [1] W. Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016, arXiv:1609.07009.
    .. [2] A. Aitken et al., "Checkerboard artifact free sub-pixel convolution", 2017, arXiv:1707.02937.

    Examples
    --------
    Two pixels, and four sub-kernels of one weight each:

    >>> layer = SubpixelConv2D(1, 1)
    >>> layer.build((None, 1, 2, 1))
    >>> _ = layer.kernel.assign(tf.reshape([1.0, 2.0, 3.0, 4.0], (1, 1, 1, 4)))
    >>> layer(tf.reshape([1.0, 10.0], (1, 1, 2, 1)))[0, :, :, 0].numpy()
    array([[ 1.,  2., 10., 20.],
           [ 3.,  4., 30., 40.]], dtype=float32)
    """

    def add_weight(self, *, name: str, shape: tuple, initializer: Callable, **options: Any) -> keras.Variable:
        if name == "kernel":  # Conv2D builds that of one phase, (k, k, in, filters); here come four of it
            one_phase, draw = shape, initializer

            def initializer(shape, dtype):
                return tf.tile(draw(one_phase, dtype=dtype), (1, 1, 1, 4))

            shape = (*one_phase[:3], 4 * self.filters)
        return super().add_weight(name=name, shape=shape, initializer=initializer, **options)

    def _upsample(self, inputs, height, width):
        phases = tf.nn.conv2d(inputs, self.kernel, 1, "SAME")
        return tf.nn.depth_to_space(phases, 2)[:, :height, :width]


@keras.saving.register_keras_serializable(package="convae_nb")
class SingleMapConv2D(_SameConv2D):
    """Convolve ('same', stride 1) to a single map, by matrix products.

    Libraries compute a convolution over its output maps, eight or sixteen at a time; of a single one they waste the rest. Here the
    kernel's taps stand in for them [1]_: a matrix product gives each pixel's products with every tap, and these are shifted and summed.
    The gradient of the kernel is a product of the same shifts with the input. Weights and function are those of ``Conv2D(1, …)``.

    Parameters
    ----------
    kernel_size : int
        Side of the square kernel.
    activation : str or callable, optional
        As in ``keras.layers.Conv2D``.
    **options
        As in `UpsampleConv2D`.

    References
    ----------
    .. [1] A. Vasudevan et al., "Parallel Multi Channel Convolution using General Matrix Multiplication", 2017, arXiv:1704.04428
       ("kernel to row").

    Examples
    --------
    >>> layer = SingleMapConv2D(3, kernel_initializer="ones")
    >>> layer(tf.ones((1, 2, 3, 5)))[0, :, :, 0].numpy()
    array([[20., 30., 20.],
           [20., 30., 20.]], dtype=float32)
    """

    def __init__(self, kernel_size: int = 3, **options: Any):
        super().__init__(1, kernel_size, **options)

    def _convolve(self, inputs):
        return tf.cast(_to_one_map(inputs, tf.cast(self.kernel, inputs.dtype)), inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "filters"}


@tf.custom_gradient
def _to_one_map(maps, kernel):
    (_, height, width, channels), (rows, columns) = keras.ops.shape(maps), kernel.shape[:2]
    before, after = ((rows - 1) // 2, (columns - 1) // 2), (rows // 2, columns // 2)
    # Where each tap reaches, in a map with that padding.
    reaches = [(slice(i, i + height), slice(j, j + width)) for i in range(rows) for j in range(columns)]

    products = tf.matmul(tf.reshape(maps, (-1, channels)), tf.reshape(kernel, (-1, channels)), transpose_b=True)
    products = tf.reshape(tf.cast(products, tf.float32), (-1, height, width, len(reaches)))  # summed in float32, as in any convolution
    padded = tf.pad(products, ((0, 0), *zip(before, after, strict=True), (0, 0)))
    convolved = tf.add_n([padded[:, i, j, tap] for tap, (i, j) in enumerate(reaches)])[..., None]

    def gradient(upstream):
        upstream = tf.cast(upstream, maps.dtype)
        padded = tf.pad(upstream[..., 0], ((0, 0), *zip(after, before, strict=True)))
        shifted = tf.stack([padded[:, i, j] for i, j in reversed(reaches)], axis=1)
        shifted = tf.reshape(shifted, (-1, len(reaches), height * width))
        of_kernel = tf.reduce_sum(shifted @ tf.reshape(maps, (-1, height * width, channels)), axis=0)
        return tf.nn.conv2d_transpose(upstream, kernel, tf.shape(maps), 1, "SAME"), tf.reshape(of_kernel, kernel.shape)

    return convolved, gradient


def _tied(kernel):
    """Convolve a kernel (k, k, in, out) with a 2x2 box into a transposed convolution's, (k + 1, k + 1, out, in)."""
    # A transposed convolution runs its kernel the other way round than a convolution.
    kernel = tf.transpose(tf.reverse(kernel, [0, 1]), (0, 1, 3, 2))
    for axis in (0, 1):
        before, after = ([[width, 1 - width] if i == axis else [0, 0] for i in range(4)] for width in (1, 0))
        kernel = tf.pad(kernel, before) + tf.pad(kernel, after)
    return kernel
