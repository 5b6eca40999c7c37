import numpy as np
import pytest
from sklearn import dummy, neighbors

from convae_nb import data, metrics

PICTURES = np.random.default_rng(0).integers(0, 256, (20, 8, 9, 3), dtype="uint8")
PICTURES[::2] //= 8  # the even ones are dark
LABELS = np.arange(20) % 2
DATASET = data.Dataset(PICTURES, LABELS, PICTURES[:10], LABELS[:10], classes=("dark", "bright"))


def readers():
    return {"nearest": neighbors.KNeighborsClassifier(1), "constant": dummy.DummyClassifier(strategy="constant", constant="bright")}


def test_what_readers_read_of_pictures_is_told_by_name_and_compared_with_the_truth():
    clean = data.as_images(DATASET.x_test)
    read, right = metrics.classify(readers(), DATASET, {"clean": clean, "swapped": clean[[1, 0, 3, 2, *range(4, 10)]]}, count=16)
    assert read["nearest", "clean"].tolist() == ["dark", "bright"] * 5
    assert read["nearest", "swapped"].tolist()[:4] == ["bright", "dark"] * 2
    assert right["nearest", "clean"].all()
    assert not right["nearest", "swapped"][:4].any()
    assert right["constant", "clean"].tolist() == [False, True] * 5
    shares = right[:4].mean().unstack(0, sort=False)
    assert shares.loc["swapped"].to_dict() == {"nearest": 0, "constant": 0.5}


def test_readers_learn_from_the_first_training_images_alone():
    nearest = neighbors.KNeighborsClassifier(1)
    metrics.classify({"nearest": nearest}, DATASET, {"clean": data.as_images(DATASET.x_test)}, count=6)
    assert nearest.n_samples_fit_ == 6
    np.testing.assert_array_equal(nearest.predict(PICTURES[:6].reshape(6, -1) / 255), ["dark", "bright"] * 3)


def test_a_probe_takes_the_candidate_that_reads_the_held_out_images_best():
    candidates = [dummy.DummyClassifier(strategy="constant", constant="dark"), neighbors.KNeighborsClassifier(1)]
    descriptions = {"brightness": lambda images: images.mean(axis=(1, 2, 3)), "nothing": lambda images: np.zeros(len(images))}
    right = metrics.probe(candidates, DATASET, descriptions, count=5000)
    assert right["brightness"].all()
    assert right["nothing"].mean() == 0.5


def test_a_candidate_that_knows_what_it_has_seen_by_heart_is_not_taken_for_that():
    numbered = np.arange(20, dtype="uint8")[:, None, None] * np.ones((1, 8, 8), "uint8")
    dataset = data.Dataset(numbered, np.array([0, 1] * 5 + [0] * 10), numbered[-4:], np.zeros(4))
    by_heart, constant = neighbors.KNeighborsClassifier(1), dummy.DummyClassifier(strategy="constant", constant=0)
    right = metrics.probe([by_heart, constant], dataset, {"number": lambda images: images[:, 0, 0]}, count=10)
    assert right["number"].all(), "the nearest one, 9, is of the other class"


@pytest.mark.parametrize(
    "dataset",
    [
        data.Dataset(PICTURES, None, PICTURES[:3], None),
        data.Dataset(PICTURES, LABELS, PICTURES[:3], None),
        data.Dataset(PICTURES, None, PICTURES[:3], LABELS[:3]),
        data.Dataset(PICTURES, 0 * LABELS, PICTURES[:3], LABELS[:3]),
    ],
    ids=["none", "no test labels", "no training labels", "one class"],
)
def test_without_labels_readers_step_aside_with_one_sentence_and_shares_are_missing(dataset, capsys):
    read, right = metrics.classify(readers(), dataset, {"clean": data.as_images(dataset.x_test)}, count=20)
    assert len(read) == len(right) == 0
    assert right.mean().unstack(0, sort=False).loc["clean"].isna().to_dict() == {"nearest": True, "constant": True}
    assert capsys.readouterr().out == "These images have no labels of two classes or more: nobody can say what is read right.\n"
    probed = metrics.probe([], dataset, {"pixels": data.as_images, "other": data.as_images}, count=20)
    assert probed.astype(float).mean().isna().to_dict() == {"pixels": True, "other": True}
    assert len(capsys.readouterr().out.splitlines()) == 1
