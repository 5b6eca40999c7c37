"""The exercises of chapter 7: let pictures pass around the code."""

from convae_nb import models
from convae_nb.exercises.answers import WrongAnswer, choose, compare, curve, read_number, read_numbers
from convae_nb.exercises.catalogue import exercise, open_exercise


@exercise("7.0", asks="a number of weights, of the whole network", right="three convolutions get more maps in.")
def weights_side_by_side(answer):
    added, beside = (models.build_autoencoder((32, 32, 16), skips=skips).count_params() for skips in ("add", "concatenate"))
    mistakes = {beside - added: "that is how many more it has: add those that it had", added: "that is the network whose maps are added"}
    compare(read_number(answer), beside, 0, mistakes)


@exercise(
    "7.1",
    asks='one of "28x28", "14x14" and "7x7": the path that is missed most',
    right="and none of them does the work alone. The networks were trained with all three; one that grew up without a path "
    "might not miss it.",
)
def which_path(answer):
    text = "look at the PSNR without this path alone, beside those without each of the others"
    choose(answer, {"28x28": "", "14x14": text, "7x7": text}, also={"largest": "28x28", "middle": "14x14", "smallest": "7x7"})


@exercise(
    "7.2",
    asks="two shares of digits read right: from the codes of skip_denoiser, and from those of fast_denoiser",
    right="both can be read alike. That there is something in the code does not say that the decoder needs it.",
)
def read_from_the_code(answer):
    for share, which in zip(read_numbers(answer, 2), ("first", "second"), strict=True):
        if 1 < share <= 100:
            raise WrongAnswer(f"the {which} share looks like percent: give a number between 0 and 1")
        # 1,000 digits leave two hundredths, the classifier's setting as much; the noisy pixels give less than 0.8.
        if not 0.87 <= share <= 0.97:
            direction = "large" if share > 0.97 else "small"
            raise WrongAnswer(
                f"the {which} share is too {direction}: a logistic regression of scaled codes, trained on noisy digits and tested on others"
            )


@exercise(
    "7.3",
    asks="a function that takes a pixel's value x, from 0 to 1, and gives its mean noisy value",
    right="a straight line can be read backwards without a table. A good answer has, too, how far pairs come from clean targets.",
)
def curve_of_salt_and_pepper(answer):
    curve(answer, lambda x: 0.75 * x + 0.125, tolerance=0.005)  # by hand it is exact; measured on some thousand copies, this close


@exercise(
    "7.4",
    asks="by how many dB the network without biases is ahead of the other at a level of 1, on test digits",
    right="beyond the levels that both have seen it holds on, and below it hardly loses.",
)
def no_biases(answer):
    ahead = read_number(answer)
    # Ours are ahead by 1.2 and 1.3; another training may give more, and a shorter one less.
    if ahead <= 0:
        raise WrongAnswer("at this level the network without biases is ahead: which of the two is subtracted, and are all biases still 0?")
    if ahead < 0.3:
        raise WrongAnswer("that is too small: have both seen levels from 0 to 0.3 only?")
    if ahead > 8:
        raise WrongAnswer("that is too large for a difference: is it the PSNR of one of them?")


open_exercise(
    "7.project",
    "two numbers before any training, how much two pictures and how much neighbours share of what is left when the mean of the series is "
    "taken away; a network from pairs; and what it does to a picture that it has not learned from, beside the mean of the series.",
)
