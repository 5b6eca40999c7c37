"""What folders say of the pictures in them: usual layouts, each as its users mean it, or a refusal that says what to change."""

import re

import numpy as np
import pytest
from PIL import Image

from convae_nb import data


def write(folder, *names):
    """Write pictures that can be told apart: the first is of 1, the second of 2, …, and all have a white pixel."""
    for i, name in enumerate(names, start=1):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".png"):
            pixels = np.full((3, 3), i, "uint8")
            pixels[0, 0] = 255
            Image.fromarray(pixels).save(folder / name)
        else:
            (folder / name).write_text("no picture")


def contents(dataset):
    """Which pictures train and which test, by number, and their classes in words."""
    found = []
    for images, labels in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        numbers = [int(n) for n in images[:, 2, 2]]
        found.append(
            dict(zip(numbers, [None] * len(numbers) if labels is None else [dataset.classes[label] for label in labels], strict=True))
        )
    return found


CATS = ["train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/dog/4.png"]
KNOWN = [{1: "cat", 2: "dog"}, {3: "cat", 4: "dog"}]


@pytest.mark.parametrize("stray", ["labels.csv", "docs/README.md", "train/notes.txt", "test/cat/a.txt", "other/b.txt", ".hidden/a.png"])
def test_what_lies_beside_the_pictures_changes_nothing(tmp_path, stray):
    write(tmp_path, *CATS)
    write(tmp_path, stray)
    assert contents(data.load(tmp_path)) == KNOWN


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train", "Test"),
        ("TRAIN", "TEST"),
        ("training", "testing"),
        ("train_set", "test-set"),
        ("Training Images", "Test Images"),
        ("train2017", "test1"),
        ("trainset", "evaluation"),
        ("data/train", "data/test"),
        ("a/b/c/train", "a/b/c/test"),
        ("images/train", "images/test"),
        ("train/train", "test/test"),
    ],
)
def test_the_usual_words_are_known_in_any_case_and_inside_of_other_folders(tmp_path, train, test):
    write(tmp_path, *(re.sub("^train", train, re.sub("^test", test, name)) for name in CATS))
    write(tmp_path, "labels/train/1.txt", "LICENSE")
    assert contents(data.load(tmp_path)) == KNOWN


@pytest.mark.parametrize("word", ["val", "valid", "Validation", "dev", "val2017"])
def test_a_validation_part_comes_last_in_training_and_that_is_said(tmp_path, word):
    write(tmp_path, *CATS, f"{word}/cat/5.png", f"{word}/dog/6.png")
    with pytest.warns(UserWarning, match=r"the 2 validation pictures are the last training images: a recipe with validation=2 holds them"):
        dataset = data.load(tmp_path)
    assert contents(dataset) == [{1: "cat", 2: "dog", 5: "cat", 6: "dog"}, KNOWN[1]]
    assert set(dataset.x_train[-2:, 2, 2]) == {5, 6}


def test_a_damaged_validation_picture_is_not_counted(tmp_path):
    write(tmp_path, *CATS, "val/cat/5.png", "val/dog/6.png")
    whole = (tmp_path / "val/cat/5.png").read_bytes()
    (tmp_path / "val/cat/5.png").write_bytes(whole[:-20])
    with pytest.warns(UserWarning, match="the 1 validation pictures are the last"):
        dataset = data.load(tmp_path)
    assert dataset.x_train[-1, 2, 2] == 6


def test_a_validation_part_without_a_test_part_is_what_is_tested_with(tmp_path):
    write(tmp_path, *(name.replace("test", "val") for name in CATS))
    with pytest.warns(UserWarning, match="there is no test part, the 2 validation pictures are to test with"):
        assert contents(data.load(tmp_path)) == KNOWN


@pytest.mark.parametrize("around", ["", "archive/", "train/", "archive/training/"])
def test_train_alone_is_no_class(tmp_path, around):
    names = [f"{around}train/{label}/{i}.png" for i in range(10) for label in ("cat", "dog")]
    write(tmp_path, *names)
    train, test = contents(data.load(tmp_path))
    assert train.keys() | test.keys() == set(range(1, 21))
    assert all(label == ("dog", "cat")[number % 2] for number, label in (train | test).items())
    assert test


def test_flat_parts_have_no_labels(tmp_path):
    write(tmp_path, "train/1.png", "train/2.png", "test/3.png")
    dataset = data.load(tmp_path)
    assert contents(dataset) == [{1: None, 2: None}, {3: None}]
    assert (dataset.y_train, dataset.y_test, dataset.classes) == (None, None, None)


def test_a_flat_test_part_beside_labelled_training_pictures_has_no_labels(tmp_path):
    write(tmp_path, *CATS[:2], "test/3.png", "test/4.png", "sample_submission.csv")
    dataset = data.load(tmp_path)
    assert contents(dataset) == [KNOWN[0], {3: None, 4: None}]
    assert dataset.y_test is None
    assert dataset.classes == ("cat", "dog")
    assert data.labels(dataset)["test"].tolist() == ["no label"] * 2


def test_one_folder_around_the_test_pictures_is_no_class(tmp_path):
    write(tmp_path, *CATS[:2], "test/unknown/3.png", "test/unknown/4.png")
    with pytest.warns(UserWarning, match="'unknown' is no class of the training pictures: the test pictures have no labels"):
        dataset = data.load(tmp_path)
    assert contents(dataset) == [KNOWN[0], {3: None, 4: None}]
    assert dataset.classes == ("cat", "dog")


def test_training_pictures_may_be_without_labels_beside_labelled_test_pictures(tmp_path):
    write(tmp_path, "train/1.png", "train/2.png", *CATS[2:])
    assert contents(data.load(tmp_path))[0] == {1: None, 2: None}
    assert data.load(tmp_path).y_train is None


def test_a_folder_around_all_classes_is_none(tmp_path):
    write(tmp_path, *(f"photos/{label}/{i}.png" for i in range(5) for label in ("cat", "dog")))
    with pytest.warns(UserWarning, match="what lies in 'photos' is taken for classes"):
        assert data.load(tmp_path).classes == ("cat", "dog")


def test_one_folder_with_pictures_is_one_class(tmp_path):
    write(tmp_path, *(f"cat/{i}.png" for i in range(5)), "cat/deeper/6.png")
    with pytest.warns(UserWarning, match="all pictures with a class are of 'cat': folders further in do not count"):
        assert data.load(tmp_path).classes == ("cat",)


def test_words_inside_of_names_are_no_parts(tmp_path):
    write(tmp_path, *(f"{label}/{i}.png" for i in range(5) for label in ("rest", "contest", "valley", "test tube", "device")))
    assert data.load(tmp_path).classes == ("contest", "device", "rest", "test tube", "valley")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            [*CATS, "bird/5.png"],
            r"holds 'test', 'train' for training and test, and other pictures beside, such as 'bird",
        ),
        ([*CATS, "loose.png"], r"other pictures beside, such as 'loose\.png'"),
        (["train/1.png", "car/2.png", "bus/3.png"], r"other pictures beside.*give the former other names if they are classes"),
        ([*CATS, "Test/cat/5.png"], r"several folders for one part, 'Test', 'test', 'train'"),
        ([*CATS, "training/cat/5.png"], r"several folders for one part, 'test', 'train', 'training'"),
        (["test/1.png", "test/2.png"], r"holds 'test' and nothing to train on: add a folder train"),
        (["test/1.png", "val/2.png"], r"holds 'test', 'val' and nothing to train on"),
        (["cat/train/1.png", "cat/test/2.png", "dog/train/3.png", "dog/test/4.png"], r"holds a folder '\w+' inside of others \('"),
        (["seg_train/1.png", "seg_test/2.png", "seg_pred/3.png"], r"holds 'seg_pred', 'seg_test', 'seg_train', which look like parts"),
        (
            ["trainA/1.png", "trainB/2.png", "testA/3.png", "testB/4.png"],
            r"look like parts .*, or give them other names if they are classes",
        ),
        (["VOCtrainval_06/1.png", "VOCtest_06/2.png"], r"look like parts"),
        (["cats/cats_train/1.png", "cats/cats_test/2.png", "dogs/3.png"], r"holds 'cats_test', 'cats_train', which look like parts"),
        (
            [*CATS[:2], "test/ Cat/3.png", "test/bird/4.png"],
            r"' Cat' of the test pictures is no class of .* 'cat', 'dog': spell them alike",
        ),
        (["train/test/1.png", "train/train/2.png"], r"holds a folder 'test' inside of others"),
        (["seg_train/1.png", "seg_test/2.png"], r"holds 'seg_test', 'seg_train', which look like parts .*: call them train and test"),
        (
            [*CATS[:2], "test/Cat/3.png", "test/dog/4.png"],
            r"'Cat' of the test pictures is no class of the training pictures, which are 'cat', 'dog'",
        ),
        ([*CATS, "test/loose.png"], r"pictures in subfolders, which are labels, and others beside these, such as 'test/loose\.png'"),
        ([*CATS, "val/5.png"], r"the training pictures lie in folders that are classes, and the validation pictures do not: arrange them"),
        (["a.png", "b.png", "dog/c.png"], r"pictures in subfolders, which are labels, and others beside these, such as 'a\.png'"),
    ],
)
def test_what_looks_like_a_split_and_cannot_be_one_is_refused(tmp_path, names, message):
    write(tmp_path, *names)
    with pytest.raises(data.DataError, match=message):
        data.load(tmp_path)


TOLD = [
    (
        ["train/Images/cat/1.png", "train/Images/dog/2.png", "test/Images/cat/3.png"],
        "what lies in 'test/Images', 'train/Images' is taken for classes",
        2,
    ),
    (["photos/1.png", "photos/cat/2.png", "photos/dog/3.png"], "all pictures with a class are of 'photos'", 1),
    (["yes/1.png", "no/2.png", "brain/yes/3.png", "brain/no/4.png"], "'no', 'yes' is a class, and lies in another, too", 3),
    (["images/1.png", "masks/2.png", "masks/3.png"], "'masks' is a class like others: masks are not read as such", 2),
    (["a/cat/1.png", "a/dog/2.png", "b/cat/3.png", "b/dog/4.png"], "the classes are the outer folders, 'a', 'b', and not those in them", 2),
    (["train/good/1.png", "test/good/2.png", "test/broken/3.png"], "no training pictures of the test pictures' 'broken'", 2),
    (["train0_1.png", "train1_2.png", "test0_1.png"], "the names of the files speak of training and test", 0),
]


@pytest.mark.parametrize(("names", "message", "classes"), TOLD, ids=[message for _, message, _ in TOLD])
def test_what_may_be_meant_otherwise_is_said(tmp_path, names, message, classes):
    write(tmp_path, *names)
    with pytest.warns(UserWarning, match=message):
        dataset = data.load(tmp_path)
    assert len(dataset.classes or ()) == classes


@pytest.mark.parametrize("stray", ["loose.png", "bird/5.png"])
def test_a_damaged_picture_means_nothing_where_it_lies(tmp_path, stray):
    write(tmp_path, *CATS, stray)
    (tmp_path / stray).write_bytes((tmp_path / stray).read_bytes()[:40])
    dataset = data.load(tmp_path)
    assert contents(dataset) == KNOWN
    assert list(dataset.skipped) == [stray]


def test_a_text_that_begins_like_a_picture_is_none(tmp_path):
    write(tmp_path, *CATS, "BMI.csv")
    (tmp_path / "BMI.csv").write_text("BMI,age\n20,30\n")
    assert contents(data.load(tmp_path)) == KNOWN


def test_a_part_of_which_nothing_is_read_is_named(tmp_path):
    write(tmp_path, *(f"train/{label}/{i}.png" for i in range(5) for label in ("cat", "dog")), "test/cat/1.pgm")
    (tmp_path / "test/cat/1.pgm").write_text("P2 1 1 255 1")
    with pytest.warns(UserWarning, match=r"no picture is read from 'test/cat/1\.pgm': a picture of the kind PGM, which is not read"):
        data.load(tmp_path)


def test_accents_in_one_letter_or_two_are_the_same_class(tmp_path):
    write(tmp_path, "train/caf\u00e9/1.png", "train/zoo/2.png", "test/cafe\u0301/3.png", "test/zoo/4.png")
    assert contents(data.load(tmp_path)) == [{1: "caf\u00e9", 2: "zoo"}, {3: "caf\u00e9", 4: "zoo"}]


def test_raw_data_of_cameras_and_recycle_bins_are_left_out(tmp_path):
    write(tmp_path, *CATS, "train/cat/1.png", "$RECYCLE.BIN/5.png")
    (tmp_path / "train/cat/1.NEF").write_bytes((tmp_path / "train/cat/1.png").read_bytes())
    assert data.load(tmp_path).skipped.keys() == {"$RECYCLE.BIN", "train/cat/1.NEF"}
