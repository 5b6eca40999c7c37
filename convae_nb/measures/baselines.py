"""The best linear code: what an autoencoder of the same size has to beat."""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import decomposition

from convae_nb import data
from convae_nb._base.validate import is_whole_number
from convae_nb.measures import metrics

_PATCH_IMAGES = 20_000  # more change the PSNR of patches by less than 0.01 dB


def pca_codec(train_images: ArrayLike, numbers: int) -> "PCACodec":
    """Fit a code of some numbers per image, their first principal components: no linear code has a lower squared error.

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


def patch_pca_codec(train_images: ArrayLike, code_shape: tuple[int, int, int], *, shared: bool) -> "PatchPCACodec":
    """Fit a linear code of the shape of a convolutional one: principal components of patches, one patch a cell of the code.

    The image is cut into as many patches as the code has cells, and each is coded by as many numbers as the code has maps. It sees less
    than `pca_codec`, which looks at the whole image, and has far fewer weights.

    Parameters
    ----------
    train_images : array, shape (n, height, width[, channels])
        What to fit the components to; the first 20,000 serve.
    code_shape : tuple of int, (height, width, maps)
        As an encoder's. Where the cells do not divide the image, it is padded with zeros at the bottom and the right. Where a patch has
        fewer values than there are maps, or there are fewer patches, so many numbers serve.
    shared : bool
        Whether the same components serve all cells, as a convolution's kernel does, or each cell has its own.

    Returns
    -------
    PatchPCACodec
        With ``encode`` and ``decode``.

    Raises
    ------
    data.DataError
        If the images are not.
    ValueError
        If there are fewer pixels than cells, or no maps.

    Examples
    --------
    Two patches of one pixel, one number each: nothing is lost.

    >>> codec = patch_pca_codec(np.array([[[0.0, 0.5]], [[1.0, 0.0]]]), (1, 2, 1), shared=True)
    >>> codec.decode(codec.encode(np.array([[[0.25, 0.75]]]))).round(4).tolist(), codec.weights
    ([[[[0.25], [0.75]]]], 2)
    """
    images = data.as_images(np.asarray(train_images)[:_PATCH_IMAGES])
    cells, maps = code_shape[:2], code_shape[2]
    if any(cell > side for cell, side in zip(cells, images.shape[1:3], strict=True)):
        raise ValueError(f"code_shape must have no more cells a side than the images have pixels, {images.shape[1:3]}, got {code_shape}")
    patches = _patches(images, cells)
    sets = [patches.reshape(-1, *patches.shape[3:])] if shared else [patches[:, row, column] for row, column in np.ndindex(cells)]
    codecs = [pca_codec(own, min(maps, len(own), own[0].size)) for own in sets]
    return PatchPCACodec(codecs, images.shape[1:], cells)


def _patches(images, cells):
    """Cut images into patches, (batch, rows, columns, height, width, channels), padded with zeros where the cells do not divide them."""
    sides = [-(-side // cell) for side, cell in zip(images.shape[1:3], cells, strict=True)]
    padding = [(0, side * cell - length) for side, cell, length in zip(sides, cells, images.shape[1:3], strict=True)]
    images = np.pad(images, ((0, 0), *padding, (0, 0)))
    return images.reshape(len(images), cells[0], sides[0], cells[1], sides[1], -1).swapaxes(2, 3)


@dataclasses.dataclass(frozen=True)
class PatchPCACodec:
    """A linear code of patches, as `patch_pca_codec` fits it.

    Attributes
    ----------
    codecs : list of PCACodec
        One for all cells, or one for each, row by row.
    image_shape : tuple of int, (height, width, channels)
        Of the images that it codes.
    cells : tuple of int, (height, width)
        How many patches an image has along each side.
    """

    codecs: list["PCACodec"]
    image_shape: tuple[int, int, int]
    cells: tuple[int, int]

    @property
    def weights(self) -> int:
        """How many numbers the codec has learned: components and means."""
        return sum(codec.weights for codec in self.codecs)

    def encode(self, images: ArrayLike) -> NDArray[np.float64]:
        """Turn images into codes. Parameters and errors are those of `PCACodec.encode`.

        Returns
        -------
        ndarray of float, shape (batch, code height, code width, maps)
        """
        patches = _patches(_like_training(images, self.image_shape), self.cells)
        codes = [self._codec(i).encode(patches[:, row, column]) for i, (row, column) in enumerate(np.ndindex(self.cells))]
        return np.stack(codes, axis=1).reshape(len(patches), *self.cells, -1)

    def decode(self, codes: ArrayLike) -> NDArray[np.float32]:
        """Turn codes back into images, as `PCACodec.decode` does.

        Parameters
        ----------
        codes : array, shape (batch, code height, code width, maps)

        Returns
        -------
        ndarray of float32, shape (batch, height, width, channels)
            Clipped to [0, 1].

        Raises
        ------
        ValueError
            If the codes have another shape.
        """
        codes, maps = np.asarray(codes), self.codecs[0].pca.n_components_
        if codes.ndim != 4 or codes.shape[1:] != (*self.cells, maps):
            raise ValueError(f"codes must have the shape (batch, {self.cells[0]}, {self.cells[1]}, {maps}), got {codes.shape}")
        patches = [self._codec(i).decode(codes[:, row, column]) for i, (row, column) in enumerate(np.ndindex(self.cells))]
        grid = np.stack(patches, axis=1).reshape(len(codes), *self.cells, *self.codecs[0].image_shape).swapaxes(2, 3)
        height, width, channels = self.image_shape
        whole = grid.reshape(len(codes), self.cells[0] * grid.shape[2], self.cells[1] * grid.shape[4], channels)
        return whole[:, :height, :width]

    def _codec(self, cell):
        return self.codecs[cell % len(self.codecs)]


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

    @property
    def weights(self) -> int:
        """How many numbers the codec has learned: components and mean."""
        return self.pca.components_.size + self.pca.mean_.size

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
        images = _like_training(images, self.image_shape)
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


def _like_training(images: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Check images as `data.as_images` does, and that they have the shape of those that a code was fitted to."""
    images = data.as_images(images)
    if images.shape[1:] != shape:
        raise ValueError(f"the code is fitted to images of shape {shape}, got {images.shape[1:]}")
    return images
