"""The exercises of chapter 2: build the autoencoder."""

import functools
from collections.abc import Sequence

import numpy as np

from convae_nb import data, models
from convae_nb.exercises.answers import WrongAnswer, compare, read_array, read_number, read_numbers
from convae_nb.exercises.catalogue import exercise, open_exercise


@exercise("2.0", asks="a number of weights", right="25 for each kernel, and a bias.")
def weights_of_a_larger_kernel(answer):
    mistakes = {
        16 * 25: "each map has one weight more than its kernel",
        16 * 9 + 16: "that is for a kernel of 3x3",
        25 + 1: "that is one map of the 16",
        16 * 25 + 1: "each map has a bias of its own",
    }
    compare(read_number(answer), 16 * 26, 0, mistakes)


@exercise(
    "2.1",
    asks="three in brackets: the shape of the code in brackets, the number of weights, the receptive field's side",
    right="all three.",
)
def on_paper(answer):
    if not isinstance(answer, Sequence) or isinstance(answer, str) or len(answer) != 3:
        raise WrongAnswer("the answer must be three in brackets: a shape, which is in brackets itself, and two numbers")
    shape = read_numbers(answer[0], 3, "the shape")
    model = models.build_autoencoder([8, 4], kernel_size=5)
    encoder = model.get_layer("encoder")
    right = encoder.output.shape[1:]
    if tuple(shape[:2]) != right[:2]:
        raise WrongAnswer("the height and width of the code are not right: how many poolings are there, and what does each make of 28?")
    if shape[2] != right[2]:
        raise WrongAnswer("the number of the code's maps is not right: it is that of the last convolution before it")
    weights, biases = model.count_params(), sum(w.size for w in model.get_weights() if w.ndim == 1)
    mistakes = {
        weights - biases: "in the weights the biases are missing",
        encoder.count_params(): "these are the encoder's weights: add the decoder's",
    }
    compare(read_number(answer[1], "the number of weights"), weights, 0, mistakes, "the number of weights")
    table = models.layer_table(model)
    field = int(table[table["part"] == "encoder"]["sees"].iloc[-1])
    compare(
        read_number(answer[2], "the receptive field"), field, 0, {field**2: "give the side of the receptive field"}, "the receptive field"
    )


@exercise(
    "2.2",
    asks="the mean size of the logits' differences at each pixel, 28x28, over the first 100 test digits",
    right="only a band at the right and at the bottom differs.",
)
def crop_after_the_convolution(answer):
    array = read_array(answer)
    if array.squeeze().shape != (28, 28):
        raise WrongAnswer(
            f"the answer must be one picture of 28x28 pixels, and this has the shape {array.shape}: take the mean over the digits"
        )
    found, truth = array.reshape(28, 28), _difference()
    if (found < 0).any():
        raise WrongAnswer("some differences are negative, and in a mean they would cancel: take their size before the mean")
    rounding = 1e-5  # of logits in float32
    if found.max() < rounding:
        raise WrongAnswer("there is no difference at all: is the crop behind the convolution, and before the next step up?")
    if (found[truth < rounding] > 2 * rounding).any():
        raise WrongAnswer(
            "pixels differ on the left or at the top, which a crop at the right and the bottom cannot reach: are the weights those of "
            "packed?"
        )
    # As many digits of others give a mean within a tenth.
    compare(
        found.max(),
        truth.max(),
        0.15 * truth.max(),
        {1.0: "this was divided by its largest value: give it in logits"},
        "the largest difference",
    )
    if np.corrcoef(found.ravel(), truth.ravel())[0, 1] < 0.98:
        raise WrongAnswer("the differences are of the right size, but not in the right places")


@functools.cache
def _difference():
    from convae_nb import keras

    packed = models.build_autoencoder()
    maps = packed.get_layer("encoder").output
    for depth, size in [(8, 7), (8, 14), (16, 28)]:
        odd = 2 * maps.shape[1] - size
        maps = keras.layers.Conv2D(depth, 3, padding="same", activation="relu")(keras.layers.UpSampling2D(2)(maps))
        maps = keras.layers.Cropping2D(((0, odd), (0, odd)))(maps)
    late = keras.Model(packed.get_layer("encoder").input, keras.layers.Conv2D(1, 3, padding="same")(maps))
    late.set_weights(packed.get_weights())
    digits = data.as_images(data.load().x_test[:100])
    return np.abs(late(digits) - packed(digits)).mean(axis=(0, 3))


@exercise(
    "2.3",
    asks="the means of the flat white picture after it was padded, as a picture",
    right="no rim is left. A good answer names, too, a picture whose mirror is not what was there.",
)
def padded_with_a_mirror(answer):
    array = read_array(answer)
    picture = array.squeeze()
    if picture.ndim != 2:
        raise WrongAnswer(f"the answer must be one picture, and this has the shape {array.shape}")
    off = np.abs(picture - 1)
    if off.max() < 1e-5:  # rounding in float32
        return
    if off[1:-1, 1:-1].max() > 1e-5:
        raise WrongAnswer("pixels in the middle are not white: is each the mean of 3x3 pixels, and the picture 1 everywhere?")
    raise WrongAnswer("the rim is darker than the middle: zeros were padded, not a mirror image")


open_exercise(
    "2.project",
    "a layer with a kernel and a bias of its own, no convolution of TensorFlow's in it, and the largest difference of the logits, which "
    "is rounding: below 1e-5. It says what the layer costs in time.",
)
