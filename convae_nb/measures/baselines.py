"""The best linear code: what an autoencoder of the same size has to beat."""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import decomposition

from convae_nb import data
from convae_nb._base.validate import is_whole_number
from convae_nb.measures import metrics


def pca_codec(train_images: ArrayLike, numbers: int) -> "PCACodec":
    """Fit a code of some numbers an image, their first principal components: no linear code has a lower squared error.

    The components are exact and the same in every run: scikit-learn takes them from the covariance of the pixels, in float64, or, where
    there are fewer images than pixels, from the singular values of the images. 60,000 digits take about two seconds.

    Parameters
    ----------
    train_images : array, shape (n, height, width[, channels])
        What to fit the components to.
    numbers : int
        Size of the code: from 1 to the number of images or of an image's values, whichever is less.

    Returns
    -------
    PCACodec
        With ``encode`` and ``decode``.

    Raises
    ------
    data.DataError
        If the images are not.
    ValueError
        If `numbers` is out of range.

    Examples
    --------
    Images of two pixels that are always equal need one number.

    >>> codec = pca_codec(np.array([[[0.0, 0.0]], [[0.5, 0.5]], [[1.0, 1.0]]]), 1)
    >>> codec.decode(codec.encode(np.array([[[0.25, 0.25]]]))).round(4).tolist()
    [[[[0.25], [0.25]]]]
    """
    images = data.as_images(train_images)
    pixels = images.reshape(len(images), -1)
    most = min(pixels.shape)
    if not is_whole_number(numbers, high=most):
        count, values = pixels.shape
        raise ValueError(f"numbers must be a whole number from 1 to {most}, for {count} images of {values} values, got {numbers!r}")
    solver = "covariance_eigh" if pixels.shape[0] >= pixels.shape[1] else "full"
    pca = decomposition.PCA(int(numbers), svd_solver=solver).fit(pixels.astype("float64"))
    return PCACodec(pca, images.shape[1:])


def pca_psnr(dataset: data.Dataset, numbers: int) -> float:
    """Measure what principal components of the training images reach on the test images.

    Parameters
    ----------
    dataset : data.Dataset
    numbers : int
        Size of the code. Where the training images have fewer components, all of them serve.

    Returns
    -------
    float
        Mean PSNR in dB.

    Raises
    ------
    data.DataError
        If the images are not.
    ValueError
        If `numbers` is less than 1.

    Examples
    --------
    Images of two pixels that are always equal need one number: no error is left but what counts as none (`metrics.psnr`).

    >>> pairs = np.repeat(np.arange(0, 256, 51, dtype="uint8"), 2).reshape(6, 1, 2)
    >>> round(pca_psnr(data.Dataset(pairs, None, pairs[:3], None), 1), 2)
    58.92
    """
    images = data.as_images(dataset.x_test)
    codec = pca_codec(dataset.x_train, min(numbers, len(dataset.x_train), images[0].size))
    return float(metrics.psnr(images, codec.decode(codec.encode(images))).mean())


@dataclasses.dataclass(frozen=True)
class PCACodec:
    """A linear code, as `pca_codec` fits it.

    Attributes
    ----------
    pca : sklearn.decomposition.PCA
        Fitted on flattened images; row i of ``pca.components_`` is the picture that number i of the code weighs.
    image_shape : tuple of int, (height, width, channels)
        Of the images that it codes.
    """

    pca: decomposition.PCA
    image_shape: tuple[int, int, int]

    def encode(self, images: ArrayLike) -> NDArray[np.float64]:
        """Turn images into codes.

        Parameters
        ----------
        images : array, shape (batch, height, width[, channels])

        Returns
        -------
        ndarray of float, shape (batch, numbers)

        Raises
        ------
        data.DataError
            If the images are not.
        ValueError
            If they have another shape than the training images.
        """
        images = data.as_images(images)
        if images.shape[1:] != self.image_shape:
            raise ValueError(f"the code is fitted to images of shape {self.image_shape}, got {images.shape[1:]}")
        return self.pca.transform(images.reshape(len(images), -1))

    def decode(self, codes: ArrayLike) -> NDArray[np.float32]:
        """Turn codes back into images.

        Parameters
        ----------
        codes : array, shape (batch, numbers)

        Returns
        -------
        ndarray of float32, shape (batch, height, width, channels)
            Clipped to [0, 1].

        Raises
        ------
        ValueError
            If the codes have another size.
        """
        numbers = self.pca.n_components_
        if np.ndim(codes) != 2 or np.shape(codes)[1] != numbers:
            raise ValueError(f"codes must have the shape (batch, {numbers}), got {np.shape(codes)}")
        images = np.clip(self.pca.inverse_transform(codes), 0, 1)
        return images.reshape(-1, *self.image_shape).astype("float32")
