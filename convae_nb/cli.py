"""The command ``convae``, which is ``python -m convae_nb``: open and run chapters, sweep, compare, denoise pictures, look at answers.

Exit codes: 0 done, 1 something was started and failed, 2 refused before anything was started, 130 interrupted, 143 ended from outside.
"""

import argparse
import contextlib
import io
import logging
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from convae_nb import runs
from convae_nb.errors import ConvaeError, DataError, RefusedError, RunError
from convae_nb.runs import chapters, notebook, parameters, records
from convae_nb.runs import table as tables

_SIGPIPE = 13  # Windows has no such signal


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as a cluster's scheduler sends it to a job, or SIGHUP, of a terminal that closes: cleaned up after like Ctrl-C."""

    def __init__(self, number: int):
        self.exit_code = 128 + number


def entry_point() -> None:
    """Run the command line as a process of its own."""

    def terminate(number, _):
        raise _Terminated(number)

    signal.signal(signal.SIGTERM, terminate)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # not under nohup
        signal.signal(signal.SIGHUP, terminate)
    if sys.stderr is None:  # closed, as for a service: progress and reasons go nowhere
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.set_inheritable(nowhere, True)
        sys.stderr = os.fdopen(nowhere, "w")
    sys.exit(main())


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what a command line asks for, and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a console of another encoding lacks is escaped
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    options, options.further = parser.parse_known_args(arguments)
    if options.further and options.command is not _lab:
        parser.error(f"unrecognized arguments: {' '.join(options.further)}")
    for name in ("papermill", "tifffile", "traitlets"):  # they log what stands in the error's one line, too
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        options.command(options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # who read it has enough, such as head
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's own flush at the end
        return 128 + _SIGPIPE
    except (ConvaeError, OSError) as error:
        print(records.escape(error), file=sys.stderr)
        return error.exit_code if isinstance(error, ConvaeError) else 1
    except _Terminated as ended:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print("Ended from outside. What is finished is kept.", file=sys.stderr)
        return ended.exit_code
    except KeyboardInterrupt:
        print("Interrupted. What is finished is kept.", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


def _parser():
    names = f"Parameters: {', '.join(parameters.TYPES)}; convae parameters CHAPTER lists those of a chapter. "
    codes = "Exit codes: 0 all is done, 1 something failed, 2 refused before anything was started, 130 interrupted, 143 ended from outside."
    parser = argparse.ArgumentParser(prog="convae", description="Run the chapters, and trained networks.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="execute a chapter, or all of them", epilog=names + codes, allow_abbrev=False)
    run.add_argument("chapter", metavar="CHAPTER", help="number (3), stem (03_training) or path; all: every chapter, with its defaults")
    run.add_argument("-p", "--parameter", metavar="NAME=VALUE", action="append", default=[], help="once for each parameter")
    run.add_argument("--output", metavar="FILE", help="the executed notebook, build/run/STEM.ipynb if not given")
    run.set_defaults(command=_run)
    summary = "execute a chapter with every combination of some values"
    example = 'Such as: sweep 3 -g seed=0,1,2 -g "filters=[16,8,8],[16,8,4]" -p train_digits=20000 --output folder. '
    further = "Further options are JupyterLab's own, such as --port=9999 or --no-browser."
    lab = commands.add_parser("lab", help="open the chapters in JupyterLab", epilog=further, allow_abbrev=False)
    lab.set_defaults(command=_lab)
    sweep = commands.add_parser("sweep", help=summary, epilog=example + names + codes, allow_abbrev=False)
    sweep.add_argument("chapter", metavar="CHAPTER", help="number, stem or path")
    sweep.add_argument(
        "-g",
        "--grid",
        metavar="NAME=VALUE,VALUE",
        action="append",
        default=[],
        help="once for each parameter that varies; lists in brackets",
    )
    sweep.add_argument("-p", "--parameter", metavar="NAME=VALUE", action="append", default=[], help="the same in all runs")
    sweep.add_argument("--output", metavar="FOLDER", required=True, help="for the executed notebooks; those finished are not done again")
    sweep.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster; without it, this machine's cores do the work")
    sweep.add_argument("--workers", metavar="N", help="how many runs at once, at most; without it, as many as there are cores")
    sweep.set_defaults(command=_sweep)
    listed = commands.add_parser("parameters", help="list a chapter's parameters: type, default, range and meaning", allow_abbrev=False)
    listed.add_argument("chapter", metavar="CHAPTER", help="number, stem or path")
    listed.set_defaults(command=_parameters)
    compare = commands.add_parser("compare", help="put side by side in what a folder's runs differ", allow_abbrev=False)
    compare.add_argument("folder", metavar="FOLDER", help="of executed notebooks")
    compare.add_argument("--csv", metavar="FILE", help="write the table there, too")
    compare.add_argument("--over", metavar="NAME", help="mean ± standard deviation over this parameter, such as seed")
    compare.set_defaults(command=_compare)
    summary = "pass pictures of 8 or 16 bits through a trained network, into a folder of their own"
    denoise = commands.add_parser("denoise", help=summary, epilog=codes, allow_abbrev=False)
    denoise.add_argument("network", metavar="NETWORK", help="a file of models.save, or a reference network, such as fast_denoiser")
    denoise.add_argument("pictures", metavar="PICTURE_OR_FOLDER", help="a file, or a folder with all that is in its subfolders")
    denoise.add_argument("--output", metavar="FOLDER", required=True, help="for what comes out; files that are there are not done again")
    denoise.set_defaults(command=_denoise)
    marked = commands.add_parser(
        "exercises", help="execute a folder's notebooks and list which answers are right", epilog=codes, allow_abbrev=False
    )
    marked.add_argument("folder", metavar="FOLDER", help="of notebooks in which exercises.check is called; its subfolders, too")
    marked.add_argument("--csv", metavar="FILE", help="write the table there, too")
    marked.add_argument("--workers", metavar="N", help="how many at once, at most; without it, as many as there are cores")
    marked.set_defaults(command=_exercises)
    reference = commands.add_parser("reference", help="train the reference runs and store what came out", allow_abbrev=False)
    reference.add_argument("names", metavar="NAME", nargs="*", help="such as original_basic/0; none: all, and the comparison of denoisers")
    reference.set_defaults(command=_reference)
    store = commands.add_parser("store", help="execute notebooks in place, as they are to be stored", allow_abbrev=False)
    store.add_argument("chapters", metavar="CHAPTER", nargs="*", help="number, stem or path; none: all of them, and the solutions")
    store.set_defaults(command=lambda options: runs.store(options.chapters))
    return parser


def _run(options):
    if options.chapter == "all":
        if options.parameter or options.output:
            raise RefusedError("run all takes no parameters and no --output: name one chapter")
        _run_all(Path("build", "run"))
        return
    chapter = chapters.read(chapters.find(options.chapter))
    values = _read(parameters.parse, options.parameter, chapter)
    output = Path("build", "run", chapter.path.name) if options.output is None else options.output
    with _progress([chapter]) as bar:
        runs.execute(chapter.path, values, output, bar=bar)
    print(f"Look in {output}")


def _lab(options):
    from convae_nb import lab

    lab.launch(options.further)


def _sweep(options):
    chapter = chapters.read(chapters.find(options.chapter))
    grid, values = _read(parameters.parse_grid, options.grid, chapter), _read(parameters.parse, options.parameter, chapter)
    if options.workers is not None and not options.workers.isdecimal():
        raise RefusedError(f"workers must be a whole number of at least 1, got {options.workers!r}")
    if not options.output:
        raise RefusedError("output must be a folder, got '': give its name")
    workers = options.workers and int(options.workers)
    table = runs.sweep(chapter.path, grid, options.output, options.scheduler, workers, parameters=values)
    failed = table[table["state"] != "done"]
    if len(failed):
        for name, reason in failed["reason"].items():
            print(f"{name}: {records.escape(reason) or 'it stopped before its last cell'}", file=sys.stderr)
        raise RunError(f"{len(failed)} of {len(table)} runs failed; the same command tries them again")
    done = f"{len(table)} runs are" if len(table) > 1 else "1 run is"
    print(f"{done} done. Look at them: {_quoted('convae', 'compare', options.output)}")


def _parameters(options):
    chapter = chapters.read(chapters.find(options.chapter))
    for name, default in chapter.defaults.items():
        kind = chapter.types[name]
        field = parameters.Parameters.model_fields.get(name)
        print(f"{name}: {kind.__name__ if isinstance(kind, type) else kind} = {default!r}")
        if field is not None:
            print(f"    {field.description}{': ' + ', '.join(parameters.CHOICES[name]) if name in parameters.CHOICES else ''}")


def _compare(options):
    comparison = runs.compare(options.folder, options.over)
    if options.csv is not None:
        _write_csv(comparison.table, options.csv, index=options.over is None, index_label="run")
    print(tables.format_table(comparison, options.over))
    same = ", ".join(f"{records.escape(name)} {records.format_value(value)}" for name, value in comparison.same.items())
    if same:
        print(f"\nThe same in all: {same}")
    for name, original in comparison.repeated.items():
        print(f"Left out {records.escape(name)}: the same run as {records.escape(original)}")
    if comparison.unfinished:
        print(f"Runs that are not done and left out: {comparison.unfinished}")
    for name, reason in comparison.skipped.items():
        print(f"Skipped {records.escape(name)}: {records.escape(reason)}", file=sys.stderr)


def _denoise(options):
    if not options.output:
        raise RefusedError("output must be a folder, got '': give its name")
    network = _network(options.network)
    from convae_nb import models

    found = models.denoise_files(network, options.pictures, options.output, progress=True)
    for name, reason in sorted((found.skipped | found.failed).items()):
        print(f"Skipped {records.escape(name)}: {records.escape(reason)}", file=sys.stderr)
    if found.done:
        done = f"{len(found.done)} pictures are" if len(found.done) > 1 else "1 picture is"
        print(f"{done} done. Look in {options.output}")
    if found.there:
        there, them = (f"{len(found.there)} are", "them") if len(found.there) > 1 else ("1 is", "it")
        print(f"{there} there already: delete {them}, or name another folder, to do {them} again")
    if found.one_by_one:
        print("The network is for grey: colours went through it one by one.")
    if found.failed:
        tried = len(found.done) + len(found.failed)
        raise DataError(f"{len(found.failed)} of {tried} pictures could not be denoised")


def _exercises(options):
    if options.workers is not None and not options.workers.isdecimal():
        raise RefusedError(f"workers must be a whole number of at least 1, got {options.workers!r}")
    from convae_nb import exercises

    table = exercises.mark(options.folder, workers=options.workers and int(options.workers))
    if options.csv is not None:
        _write_csv(table, options.csv, index_label="notebook")
    words = table.drop(columns="reason").astype(object).map({True: "right", False: "not yet"}.get).fillna("")
    print(words.rename(index=records.escape).to_string() if len(words.columns) else "No notebook checks an exercise")
    failed = table["reason"][table["reason"] != ""]
    for name, reason in failed.items():
        print(f"{records.escape(name)}: {records.escape(reason)}", file=sys.stderr)
    if len(failed):
        raise RunError(f"{len(failed)} of {len(table)} notebooks have a cell that failed, or could not be read")


def _network(name):
    """Load a network from a file, or one that ships; what is neither is refused before TensorFlow comes in."""
    if Path(name).is_file():
        from convae_nb import models

        try:
            return models.load(name)
        except DataError as error:
            raise RefusedError(str(error)) from None
    from convae_nb.reference import names

    try:
        names.canonical(name)
    except ValueError as error:
        raise RefusedError(f"there is no file {name!r}, and {error}") from None
    from convae_nb import reference

    return reference.load(name)


def _reference(options):
    from convae_nb.reference import names

    for name in options.names:
        try:
            names.canonical(name)
        except ValueError as error:
            raise RefusedError(str(error)) from None

    from convae_nb.reference import make

    folder = Path("build", "reference")
    for name in options.names:
        make.train_network(name, folder)
    if not options.names:
        make.everything(folder)


def _run_all(folder):
    found = [chapters.read(path) for path in chapters.notebooks("0[1-9]_*.ipynb")]
    with _progress(found) as bar:
        for chapter in found:
            runs.execute(chapter.path, {}, folder / chapter.path.name, bar=bar)
    print(_summary(records.read_runs(folder / chapter.path.name for chapter in found)))
    print(f"Look in {folder}")


def _progress(found):
    """Give a progress bar, on standard error, that counts the chapters' code cells; what is refused at once never shows it."""
    return tqdm(total=sum(len(notebook.code_cells(chapter.notebook)) for chapter in found), unit="cell", delay=1)


def _summary(found):
    """A line a result, behind the chapter and its seconds."""
    lines = [("chapter", "seconds", "result", "")]
    for _, run in found.table.iterrows():
        results = run[found.results].dropna()
        names = [(name, records.format_value(value)) for name, value in results.items()] or [("", "")]
        heads = [(run["chapter"], f"{run['seconds']:.1f}")] + [("", "")] * (len(names) - 1)
        lines += [head + name for head, name in zip(heads, names, strict=True)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _read(parse, texts, chapter):
    """Read parameters of a chapter; a name that it lacks is refused with its own names."""
    chapter.refuse_unknown(text.partition("=")[0] for text in texts)
    return parse(texts, chapter.types)


def _write_csv(table, path, **options):
    try:
        if Path(path).suffix == ".ipynb":
            raise OSError("it is called as a notebook is")
        with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            table.to_csv(file, lineterminator="\n", **options)
    except OSError as error:
        raise RefusedError(f"csv must be a file that can be written, got {path!r}: {error.strerror or error}") from None


def _quoted(*words):
    """Quote a command as this system's shell reads it."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
