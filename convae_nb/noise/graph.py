"""The noise of `noise.corrupt` as TensorFlow operations, for the compiled training loop: the same distributions, other draws."""

import math

from convae_nb._base.tensorflow import tf
from convae_nb.noise.kinds import KINDS


def corrupt(images, kind, low, high, seed):
    """Corrupt a batch, each image at a level of its own.

    Parameters
    ----------
    images : Tensor of float32, shape (batch, height, width, channels)
        In [0, 1].
    kind : str
        A key of `noise.KINDS`.
    low, high : float
        Between these the level of each image is drawn, uniformly.
    seed : Tensor of int32, shape (2,)
        The draws depend on it alone.

    Returns
    -------
    Tensor of float32, shape as the images'
        In [0, 1].
    """
    level_seed, seed = tf.unstack(tf.random.split(seed, 2))
    level = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), level_seed, low, high) if low < high else tf.constant(low)
    return tf.clip_by_value(_IN_GRAPH[kind](images, level, seed), 0.0, 1.0)


def hide(images, share, seed):
    """Hide some pixels of a batch, each behind one of its neighbours: a network can then only guess them from what is around [1]_.

    Parameters
    ----------
    images : Tensor of float32, shape (batch, height, width, channels)
    share : float
        The probability of a pixel to be hidden.
    seed : Tensor of int32, shape (2,)
        The draws depend on it alone.

    Returns
    -------
    images : Tensor of float32
        A hidden pixel has the value of another of the 5x5 pixels around it, or of one at the border where that is outside.
    hidden : Tensor of float32, shape (batch, height, width, 1)
        1 for a hidden pixel, 0 for others.

    References
    ----------
    .. [1] A. Krull et al., "Noise2Void: Learning Denoising from Single Noisy Images", CVPR 2019, arXiv:1811.10980.
    """
    height, width, channels = images.shape[1:]
    batch = tf.shape(images)[0]
    which_seed, step_seed = tf.unstack(tf.random.split(seed, 2))
    hidden = tf.cast(tf.random.stateless_uniform((batch, height, width), which_seed) < share, tf.int32)
    # The steps of the 5x5 window without its middle, numbered row by row: the second half is one further on.
    step = tf.random.stateless_uniform((batch, height, width), step_seed, 0, 24, tf.int32)
    step += tf.cast(step >= 12, tf.int32)
    rows = tf.clip_by_value(tf.range(height)[:, None] + hidden * (step // 5 - 2), 0, height - 1)
    columns = tf.clip_by_value(tf.range(width) + hidden * (step % 5 - 2), 0, width - 1)
    flat = tf.reshape(images, (batch, height * width, channels))
    taken = tf.gather(flat, tf.reshape(rows * width + columns, (batch, -1)), batch_dims=1)
    return tf.reshape(taken, tf.shape(images)), tf.cast(hidden, images.dtype)[..., None]


def _gaussian(images, level, seed):
    return images + level * tf.random.stateless_normal(tf.shape(images), seed)


def _speckle(images, level, seed):
    return images * (1 + level * tf.random.stateless_normal(tf.shape(images), seed))


def _salt_and_pepper(images, level, seed):
    # One draw a pixel serves twice: it is hit below the level, and white in the lower half of that.
    field = tf.random.stateless_uniform(tf.concat([tf.shape(images)[:3], [1]], axis=0), seed)
    return tf.where(field < level, tf.cast(field < level / 2, images.dtype), images)


def _poisson(images, level, seed):
    variance = tf.maximum(level, 1e-3) ** 2  # at this level the noise is a quarter of one of 255 greys
    return variance * tf.random.stateless_poisson(tf.shape(images), seed, images / variance, images.dtype)


def _blur(images, level, seed):
    for axis in (1, 2):
        images = _blur_along(images, level, axis)
    return images


def _blur_along(images, level, axis):
    """Smooth along one axis as ``scipy.ndimage.gaussian_filter`` does: cut at four sigma, mirrored at the border."""
    size = images.shape[axis]
    sigma = tf.reshape(level, (-1, 1))
    reach = math.ceil(4 * KINDS["blur"].high)
    steps = tf.range(-reach, reach + 1)
    weights = tf.exp(-0.5 * (tf.cast(steps, tf.float32) / tf.maximum(sigma, 1e-3)) ** 2)
    weights *= tf.cast(tf.abs(tf.cast(steps, tf.float32)) <= tf.floor(4 * sigma + 0.5), tf.float32)
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    # Where each step from each pixel lands, the border mirrored as often as it takes: pixels past the end run back.
    lands = (tf.range(size)[:, None] + steps) % (2 * size)
    lands = tf.minimum(lands, 2 * size - 1 - lands)
    matrix = tf.einsum("bs,psq->bpq", weights, tf.one_hot(lands, size))  # (batch or 1, size, size)
    matrix = tf.broadcast_to(matrix, (tf.shape(images)[0], size, size))
    return tf.einsum("bpq,bqwc->bpwc", matrix, images) if axis == 1 else tf.einsum("bpq,bhqc->bhpc", matrix, images)


def _occlusion(images, level, seed):
    size = images.shape[1:3]
    batch = tf.shape(images)[0]
    side = tf.round(level * float(min(size)))
    kept = []
    for length, place in zip(size, tf.unstack(tf.random.stateless_uniform((2, batch, 1), seed)), strict=True):
        start = tf.floor(place * (length - tf.reshape(side, (-1, 1)) + 1))
        pixels = tf.cast(tf.range(length), tf.float32)
        kept.append((pixels < start) | (pixels >= start + tf.reshape(side, (-1, 1))))  # (batch, length)
    outside = kept[0][:, :, None] | kept[1][:, None, :]
    return tf.where(outside[..., None], images, 0.0)


_IN_GRAPH = {
    "gaussian": _gaussian,
    "speckle": _speckle,
    "salt_and_pepper": _salt_and_pepper,
    "poisson": _poisson,
    "blur": _blur,
    "occlusion": _occlusion,
}
