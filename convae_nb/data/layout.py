"""What folders say of the pictures in them: which train, which validate, which test, and of what class they are.

Only the paths of pictures count. Whatever else lies beside them changes nothing.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from convae_nb.errors import DataError

#: The parts, in the order in which their pictures come.
PARTS = ("training", "validation", "test")
_WORDS = {
    "training": "train|training",
    "validation": "val|valid|validation|dev",
    "test": "test|testing|eval|evaluation",
}
# Such as Train, TEST, train_set, val2017, test-images.
_PATTERNS = {
    part: re.compile(rf"[\W\d_]*({words})[\W_]*(sets?|data|images?|imgs?|pictures?|split)?[\W\d_]*", re.IGNORECASE)
    for part, words in _WORDS.items()
}
# Such as seg_train beside seg_test, or trainA beside testA.
_LOOSELY_TRAINING = re.compile("train", re.IGNORECASE)
_LOOSELY_OTHER = re.compile(r"test|valid|(?<![a-z])e?val(?![a-z])", re.IGNORECASE)
_MASKS = re.compile(r"(seg\w*[\W_]*)?(mask|annotation|label|trimap|segmentation\w*|ground[\W_]*truth)s?", re.IGNORECASE)


class Layout(NamedTuple):
    """For each picture its part, or None where the folders do not say it, and its class, or None; the parts that have a folder; and what
    there is to tell."""

    parts: list[str | None]
    classes: list[str | None]
    named: set[str | None]
    told: list[str]


def arrange(names: Sequence[str], shown: str) -> Layout:
    """Say what the folders of pictures mean.

    Parameters
    ----------
    names : sequence of str
        Paths of all pictures in the folder, with slashes.
    shown : str
        What messages call the folder.

    Raises
    ------
    DataError
        If the folders look like parts or classes and cannot be that.
    """
    # macOS spells accents in two letters.
    folders = [unicodedata.normalize("NFC", name).split("/")[:-1] for name in names]
    told: list[str] = []
    depth = _enter(folders)
    level = {path[depth] if len(path) > depth else None for path in folders}
    parts: list[str | None] = [None] * len(names)
    if any(top and _part(top) for top in level):
        _validate_parts(level, names, folders, depth, shown)
        parts = [_part(path[depth]) for path in folders]
        depth += 1
    else:
        depth = 0
    labels = _labels(folders, parts, depth, told)
    _validate_inner_names(names, folders, depth, shown)
    classes = _validate_classes(names, parts, labels, shown, told)
    _tell_doubts(names, folders, parts, classes, depth, told)
    named = set(parts) - {None}
    return Layout(parts if named != {"training"} else [None] * len(parts), classes, named, told)


def _part(folder):
    return next((part for part, pattern in _PATTERNS.items() if pattern.fullmatch(folder)), None)


def _enter(folders):
    """Give the depth at which the paths branch, end, or are parts: folders that merely hold all the others are entered."""
    depth = 0
    while True:
        level = {tuple(path[depth : depth + 1]) for path in folders}
        if len(level) > 1 or level == {()}:
            return depth
        (top,) = level.pop()
        below = {tuple(path[depth + 1 : depth + 2]) for path in folders}
        if _part(top) and not (len(below) == 1 and below != {()} and _part(next(iter(below))[0])):
            return depth
        depth += 1


def _validate_parts(level, names, folders, depth, shown):
    others = [top for top in level if not (top and _part(top))]
    if others:
        name = next(name for name, path in zip(names, folders, strict=True) if not (len(path) > depth and _part(path[depth])))
        raise DataError(
            f"{shown} holds {_listed(top for top in level if top and _part(top))} for training and test, and other pictures beside, such "
            f"as {name!r}: move these out of it, or give the former other names if they are classes"
        )
    counts = Counter(_part(top) for top in level)
    if max(counts.values()) > 1:
        raise DataError(f"{shown} holds several folders for one part, {_listed(level)}: keep one train, and one test")
    if "training" not in counts:
        raise DataError(f"{shown} holds {_listed(level)} and nothing to train on: add a folder train, or give these other names")


def _labels(folders, parts, depth, told):
    """Give the folder that is each picture's class; a folder around all classes of a part is entered."""
    labels: list[str | None] = []
    starts, around = {}, set()
    for part in set(parts):
        inner = [path[depth:] for path, of_part in zip(folders, parts, strict=True) if of_part == part]
        starts[part] = depth
        while all(len(path) > 1 for path in inner) and len({path[0] for path in inner}) == 1:
            inner = [path[1:] for path in inner]
            starts[part] += 1
        entered = next(path[: starts[part]] for path, of_part in zip(folders, parts, strict=True) if of_part == part)
        if not all(map(_part, entered[depth:])):  # not if unpacking has given a part two folders
            around.add("/".join(entered))
    if around:
        told.append(f"what lies in {_listed(around)} is taken for classes")
    for path, part in zip(folders, parts, strict=True):
        labels.append(path[starts[part]] if len(path) > starts[part] else None)
    return labels


def _validate_inner_names(names, folders, depth, shown):
    """Refuse folders that speak of parts where they cannot be such."""
    siblings: dict[tuple, set] = {}
    for path in folders:
        for i in range(depth, len(path)):
            siblings.setdefault(tuple(path[:i]), set()).add(path[i])
    for name, path in zip(names, folders, strict=True):
        own = _part(path[depth - 1]) if depth else None
        for i in range(depth, len(path)):
            part = _part(path[i])
            if part and not (part == own and len(siblings[tuple(path[:i])]) == 1):
                raise DataError(
                    f"{shown} holds a folder {path[i]!r} inside of others ({name!r}): put train and test outermost, or give it another "
                    "name if its pictures are not for that"
                )
    for children in siblings.values():
        training = {name for name in children if _LOOSELY_TRAINING.search(name)}
        if training and any(_LOOSELY_OTHER.search(name) for name in children - training):
            raise DataError(
                f"{shown} holds {_listed(children)}, which look like parts to train on and to test with: call them train and test, or give "
                "them other names if they are classes"
            )


def _validate_classes(names, parts, labels, shown, told):
    """Give the classes, or None for a part that has none; refuse what would be half of one."""
    classes = list(labels)
    found: dict = {part: {} for part in parts}  # of each part its classes, each with a picture
    for name, part, label in zip(names, parts, labels, strict=True):
        found[part].setdefault(label, name)
    for inside in found.values():
        if None in inside and len(inside) > 1:
            raise DataError(
                f"{shown} holds pictures in subfolders, which are labels, and others beside these, such as {inside[None]!r}: "
                "move them into a subfolder too"
            )
    known = set(found.get("training", {}))
    for part in ("validation", "test"):
        unknown = set(found.get(part, {})) - known - {None}
        if not unknown:
            continue
        alike = {name.casefold().strip(): name for name in known - {None}}
        if twins := [name for name in unknown if name.casefold().strip() in alike]:
            raise DataError(
                f"{shown}: {_listed(twins)} of the {part} pictures is no class of the training pictures, which are {_listed(known)}: "
                "spell them alike"
            )
        if len(found[part]) == 1:
            told.append(f"{_listed(unknown)} is no class of the training pictures: the {part} pictures have no labels")
            classes = [None if of_part == part else label for of_part, label in zip(parts, classes, strict=True)]
        elif None not in known:
            told.append(f"there are no training pictures of the {part} pictures' {_listed(unknown)}")
    labelled = {part: any(label is not None for p, label in zip(parts, classes, strict=True) if p == part) for part in found}
    if "test" in found and labelled.get("validation", labelled.get("training")) != labelled.get("training"):
        with_, without = ("training", "validation") if labelled["training"] else ("validation", "training")
        raise DataError(
            f"{shown}: the {with_} pictures lie in folders that are classes, and the {without} pictures do not: arrange them alike, or "
            "move the validation pictures elsewhere"
        )
    return classes


def _tell_doubts(names, folders, parts, classes, depth, told):
    """Say what is taken as it stands and may be meant otherwise."""
    found = {name for name in classes if name is not None}
    if len(found) == 1 and any(len(path) > depth + 1 for path in folders):
        told.append(f"all pictures with a class are of {_listed(found)}: folders further in do not count")
    if masks := {name for name in found if _MASKS.fullmatch(name)}:
        told.append(f"{_listed(masks)} is a class like others: masks are not read as such")
    inner = {folder for path, label in zip(folders, classes, strict=True) if label in path for folder in path[path.index(label) + 1 :]}
    if twice := inner & found:
        told.append(f"{_listed(twice)} is a class, and lies in another, too: pictures may be there twice")
    below: dict = {}
    for path in folders:
        if not depth and len(path) > 1:
            below.setdefault(path[0], set()).add(path[1])
    alike = {frozenset(inside) for inside in below.values()}
    if len(below) == len(found) > 1 and len(alike) == 1 and len(next(iter(alike))) > 1:
        told.append(f"the classes are the outer folders, {_listed(found)}, and not those in them, {_listed(next(iter(alike)))}")
    if not found and set(parts) == {None}:
        files = [name.rpartition("/")[2] for name in names]
        if any(map(_LOOSELY_TRAINING.search, files)) and all(_LOOSELY_TRAINING.search(n) or _LOOSELY_OTHER.search(n) for n in files):
            told.append("the names of the files speak of training and test, which only folders decide")


def missing(skipped: Iterable[str], named: Collection[str | None]) -> str | None:
    """Name what was skipped in the folder of a part that has no picture; None if there is none, or folders do not say the parts."""
    for name in skipped if named else ():
        if any((part := _part(folder)) and part not in named for folder in name.split("/")):
            return name
    return None


def _listed(names, most=5):
    names = sorted(repr(name) for name in names if name is not None)
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
