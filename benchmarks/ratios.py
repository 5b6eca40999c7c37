"""From what the workers measured to what is compared: rates, ratios round by round, and the checks that make them fair.

A reading is what a `protocol.Stopwatch` gives: "count" images (or matrix products) in "seconds" of time and "cpu" seconds of all
threads. Repeats are ``(values, unit)``, as `report.store` takes them.
"""

import numpy as np
from protocol import MATRIX_SIDE

# Of the losses of the same steps. Rounding makes them differ by some 1e-7. PyTorch's Adam adds epsilon to a root that it has corrected,
# TensorFlow's to the root as it is, by a factor of 30 in the first step: that shows as 1e-4. Another batch shows as more than 1e-3.
TOLERANCE = 1e-3
# Recipes that are set against the original's, and how the names of their ratios end.
KINDS = {"speedrun": "", "fast": "_fast"}
FEWEST_CORES = 1.5  # of `Model.fit`, which sometimes runs on one and halves


def rate(reading):
    """Images, or products, a second."""
    return reading["count"] / reading["seconds"]


def cores(reading):
    """Processor time over time."""
    return reading["cpu"] / reading["seconds"]


def disagreement(losses):
    """Give each peer's greatest relative difference from our losses.

    Parameters
    ----------
    losses : dict of str to list of float
        Of the same steps, by the peers' names; ours is "ours".

    Returns
    -------
    list of float

    Raises
    ------
    ValueError
        If one is greater than `TOLERANCE`: that peer computes something else.

    Examples
    --------
    >>> disagreement({"ours": [0.5, 0.25], "original": [0.5, 0.25]})
    [0.0]
    """
    ours = np.array(losses["ours"])
    differences = {name: float(np.max(np.abs(np.divide(theirs, ours) - 1))) for name, theirs in losses.items() if name != "ours"}
    for name, difference in differences.items():
        if not difference <= TOLERANCE:
            raise ValueError(f"the losses of {name} must be ours to {TOLERANCE:g}, found {losses[name]} where ours are {losses['ours']}")
    return list(differences.values())


def over_peers(rounds, stock_pytorch):
    """Divide our throughput by the peers', in each round.

    Parameters
    ----------
    rounds : list of dict
        The readings of all peers, by name.
    stock_pytorch : iterable of str
        Names of the peers of which the fastest in a round stands for PyTorch as it comes.

    Returns
    -------
    dict
        Repeats of the ratios whose peers are there, and of how many rounds of `fit` were dropped, since they had too few cores.
    """
    groups = {"original": ["original"], "fit": ["fit"], "pytorch": stock_pytorch, "pytorch_tied": ["pytorch_tied"]}
    usable = dict.fromkeys(groups, rounds) | {"fit": [each for each in rounds if cores(each["fit"]) >= FEWEST_CORES]}
    measured = {"fit_rounds_dropped": ([len(rounds) - len(usable["fit"])], f"of {len(rounds)} rounds")}
    for group, names in groups.items():
        there = [name for name in names if name in rounds[0]]
        ratios = [rate(each["ours"]) / max(rate(each[name]) for name in there) for each in usable[group] if there]
        if ratios:
            measured[f"throughput_over_{group}"] = (ratios, "ratio")
    return measured


def over_gemm(rounds, table):
    """Set our training against the machine's matrix products.

    Parameters
    ----------
    rounds : list of dict
        The readings of "ours" and of "gemm".
    table : DataFrame
        The model's `models.layer_table`.

    Returns
    -------
    dict
        Repeats of the rate of products, and of the share of it that our training makes use of.
    """
    product = 2 * MATRIX_SIDE**3
    work = training_work(table)
    return {
        "gemm_rate": ([product * rate(each["gemm"]) / 1e9 for each in rounds], "GFLOP/s"),
        "gemm_share": ([100 * work * rate(each["ours"]) / (product * rate(each["gemm"])) for each in rounds], "percent"),
    }


def training_work(table):
    """Count the useful operations of a training step, for one image, in the plain formulation.

    Each product of the forward pass has two of its like in the backward pass, for the gradients of the layer's input and of its
    weights; the first layer's input, the image, needs none.

    Parameters
    ----------
    table : DataFrame
        Of `models.layer_table`.

    Returns
    -------
    int
        Multiplications and additions.
    """
    products = table["multiply-adds"]
    return 2 * int(3 * products.sum() - products.iloc[0])


def over_original(task, rounds, epochs, recorded):
    """Set the trainings by the recipes of the speed run, and by the fast ones, against the time of the original's.

    Parameters
    ----------
    task : str
        "basic" or "denoiser".
    rounds : list of dict
        "original_start": seconds from the start of the process to its first step's end; "epoch": the reading of an epoch; and by each
        of `KINDS`, "reading": that of a training; "with_start": seconds from the start of that process to the trained model; "loss": its
        test loss.
    epochs : int
        Of the original's recipe.
    recorded : list of float
        The original's test losses.

    Returns
    -------
    dict
        Repeats. The ratios' names end in "_fast" for the fast recipes.
    """
    start, epoch = np.array([[each["original_start"], each["epoch"]["seconds"]] for each in rounds]).T
    original = epochs * epoch
    measured = {}
    for kind, suffix in KINDS.items():
        trained = [each[kind] for each in rounds]
        seconds, with_start = np.array([[each["reading"]["seconds"], each["with_start"]] for each in trained]).T
        measured |= {
            f"time_to_quality_ratio_{task}{suffix}": (original / seconds, "ratio"),
            f"time_to_quality_ratio_{task}_with_start{suffix}": ((start + original) / with_start, "ratio"),
            f"train_seconds_{kind}_{task}": (seconds, "seconds"),
            f"train_seconds_{kind}_{task}_with_start": (with_start, "seconds"),
            f"cores_{kind}_{task}": ([cores(each["reading"]) for each in trained], "cores"),
            f"test_loss_{kind}_{task}": ([each["loss"] for each in trained], "nats a pixel"),
        }
    return measured | {
        f"train_seconds_original_{task}": (original, "seconds"),
        f"train_seconds_original_{task}_with_start": (start + original, "seconds"),
        f"epoch_seconds_original_{task}": (epoch, "seconds"),
        f"cores_original_{task}": ([cores(each["epoch"]) for each in rounds], "cores"),
        f"test_loss_original_{task}": (recorded, "nats a pixel"),
    }
