"""A trained network on many picture files: each comes out as a file of its own, with the depth that it had."""

import collections
import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from convae_nb._base.files import validate_writable, write_atomically
from convae_nb._base.progress import progress_bar
from convae_nb._base.tensorflow import keras
from convae_nb.data import folder, picture, samples
from convae_nb.errors import DataError, RefusedError
from convae_nb.models import pictures


class Denoised(NamedTuple):
    """What `denoise_files` did. Names are relative to the folder of the pictures or to that of the output, with slashes.

    Attributes
    ----------
    done : list of str
        The files that were written.
    there : list of str
        Those that were there already, and were left as they are.
    failed : dict of str to str
        Pictures that could not be denoised, and why.
    skipped : dict of str to str
        What else lies in the folder, and why it is no picture.
    one_by_one : bool
        Whether the network is for grey, and took the colours of some picture one by one.
    """

    done: list[str]
    there: list[str]
    failed: dict[str, str]
    skipped: dict[str, str]
    one_by_one: bool


def denoise_files(model: keras.Model, source: str | os.PathLike, output: str | os.PathLike, *, progress: bool = False) -> Denoised:
    """Pass picture files through a network, and write what comes out under the same names into another folder.

    A sample of 16 bits stays one of 16 bits, grey stays grey, and what a TIFF file states to be white stays white. A TIFF file gives a
    TIFF file, every other kind PNG; of several pages or frames the first is taken. Pictures are turned as their EXIF says, what is
    transparent shows white, and of metadata the colour profile alone comes along. Each file is written whole or not at all, and none
    that is there is replaced: the same call again does what is missing.

    Parameters
    ----------
    model : keras.Model
        Of `build_autoencoder`; what it makes of a picture is told in `denoise`.
    source : str or Path
        A picture file, or a folder of some, with subfolders. Kinds and what is skipped are those of `data.load`.
    output : str or Path
        A folder, made if it is not there: another one than that of the pictures, and not inside of it. Where two pictures would get one
        name, as ``a.jpg`` and ``a.png`` would, they keep all of theirs: ``a.jpg.png`` and ``a.png.png``.
    progress : bool
        Show a live line, picture by picture; of a single one, tile by tile.

    Returns
    -------
    Denoised
        The names of what was done, left and skipped.

    Raises
    ------
    RefusedError
        If there is no picture, the output cannot be written or is where the pictures are, or the network's weights are no numbers;
        nothing was started.
    ValueError
        If the model is not of `build_autoencoder`.
    OSError
        If a file cannot be written, as on a full disk; those before it are whole.
    """
    pictures.validate_network(model)
    source, output = Path(source), Path(output)
    skipped: dict[str, str] = {}
    base, kinds = _found(source, skipped)
    _refuse_place_of_pictures(output, base, with_inside=source.is_dir())
    validate_writable(output, output)
    targets = _targets(kinds)
    waiting = {name: target for name, target in targets.items() if not os.path.lexists(output / target)}
    there = [target for name, target in targets.items() if name not in waiting]
    done, failed, one_by_one = [], dict[str, str](), False
    is_one = len(waiting) == 1
    for name in progress_bar(waiting, desc="denoising", unit=" pictures", leave=False, progress=progress and not is_one):
        try:
            found = samples.read(base / name)
        except Exception as error:  # decoders have a dozen errors for damaged bytes
            failed[name] = picture.why(error)
            continue
        try:
            values = pictures.denoise(model, found.values, progress=progress and is_one)
        except DataError as error:
            failed[name] = str(error)
            continue
        one_by_one |= values.ndim == 3 and model.input_shape[-1] == 1
        path = output / waiting[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as file:
            file.write(samples.encode(values, found))
        done.append(waiting[name])
    return Denoised(done, there, failed, skipped, one_by_one)


def _found(source, skipped):
    """Give the folder of the pictures, and their kinds by their names in it."""
    try:
        if source.is_dir():
            if kinds := folder.pictures(source, skipped):
                return source, kinds
            raise picture.SkippedError(f"there is none in this folder{folder.such_as(skipped)}")
        if source.is_file():
            return source.parent, {source.name: folder.kind(source)}
        raise picture.SkippedError("there is no such file or folder")
    except (OSError, picture.SkippedError, DataError) as error:
        raise RefusedError(f"pictures must be a picture file or a folder of some, got {str(source)!r}: {picture.why(error)}") from None


def _refuse_place_of_pictures(output, base, *, with_inside):
    """Refuse a folder in which pictures might be taken for what came out of them, or be taken again; links are followed."""
    place = Path(os.path.realpath(output))
    for each in (place, *place.parents) if with_inside else (place,):
        if os.path.exists(each) and os.path.samefile(each, base):
            raise RefusedError(f"output must be another folder than that of the pictures, and not inside of it, got {str(output)!r}")


def _targets(kinds):
    """Name what becomes of each picture; where two would get one name on a system that knows no case, they keep all of theirs."""
    folders = {str(parent) for name in kinds for parent in PurePosixPath(name).parents}
    kept = set()
    while True:
        targets = {name: _target(name, kind, is_kept=name in kept) for name, kind in kinds.items()}
        counts = collections.Counter(target.casefold() for target in (*targets.values(), *folders))
        alike = {name for name, target in targets.items() if counts[target.casefold()] > 1} - kept
        if not alike:
            return targets
        kept |= alike


def _target(name, kind, *, is_kept):
    endings = (".tif", ".tiff") if kind == "TIFF" else (".png",)
    path = PurePosixPath(name)
    if is_kept:
        return name + endings[0]
    return name if path.suffix.lower() in endings else str(path.with_suffix(endings[0]))
