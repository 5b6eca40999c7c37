"""``python -m convae_nb run CHAPTER -p name=value``: run the chapters from the command line; ``sweep`` and ``compare`` many runs.

Exit codes: 0 done, 1 something was started and failed, 2 refused before anything was started, 130 interrupted.
"""

import argparse
import logging
import shlex
import signal
import sys
from pathlib import Path

from convae_nb import _comparing, _records, parameters, runs


def main(arguments=None):
    """Do what a command line asks for, and return the exit code."""
    options = _parser().parse_args(arguments)
    for name in ("papermill", "traitlets"):  # they log what stands in the error's one line, too
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        options.command(options)
    except (parameters.RefusedError, runs.RunError, OSError) as error:
        print(_records.printable(error), file=sys.stderr)
        return 2 if isinstance(error, parameters.RefusedError) else 1
    except KeyboardInterrupt:
        print("Interrupted. What is finished is kept.", file=sys.stderr)
        return 130
    return 0


def _parser():
    names = f"Parameters: {', '.join(parameters.Parameters.model_fields)}; each chapter has those of its first cells. "
    codes = "Exit codes: 0 all is done, 1 something failed, 2 refused before anything was started, 130 interrupted."
    parser = argparse.ArgumentParser(prog="python -m convae_nb", description="Run the chapters.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="execute a chapter, or all of them", epilog=names + codes, allow_abbrev=False)
    run.add_argument("chapter", metavar="CHAPTER", help="number (3), stem (03_training) or path; all: every chapter, with its defaults")
    run.add_argument("-p", "--parameter", metavar="NAME=VALUE", action="append", default=[], help="once for each parameter")
    run.add_argument("--output", metavar="FILE", help="the executed notebook, build/run/STEM.ipynb if not given")
    run.set_defaults(command=_run)
    about = "execute a chapter with every combination of some values"
    example = 'Such as: sweep 3 -g seed=0,1,2 -g "filters=[16,8,8],[16,8,4]" -p train_digits=20000 --output folder. '
    sweep = commands.add_parser("sweep", help=about, epilog=example + names + codes, allow_abbrev=False)
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
    compare = commands.add_parser("compare", help="put side by side in what a folder's runs differ", allow_abbrev=False)
    compare.add_argument("folder", metavar="FOLDER", help="of executed notebooks")
    compare.add_argument("--csv", metavar="FILE", help="write the table there, too")
    compare.add_argument("--over", metavar="NAME", help="mean ± standard deviation over this parameter, such as seed")
    compare.set_defaults(command=_compare)
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
            raise parameters.RefusedError("run all takes no parameters and no --output: name one chapter")
        _run_all(Path("build", "run"))
    else:
        values = parameters.parse(options.parameter)
        path = runs.find(options.chapter)
        output = Path("build", "run", path.name) if options.output is None else options.output
        with runs.progress([path]) as bar:
            runs.execute(path, values, output, bar=bar)
        print(f"Look in {output}")


def _sweep(options):
    grid, values = parameters.parse_grid(options.grid), parameters.parse(options.parameter)
    if options.workers is not None and not options.workers.isdecimal():
        raise parameters.RefusedError(f"workers must be a whole number of at least 1, got {options.workers!r}")
    if not options.output:
        raise parameters.RefusedError("output must be a folder, got '': give its name")
    workers = options.workers and int(options.workers)
    table = runs.sweep(options.chapter, grid, options.output, options.scheduler, workers, parameters=values)
    failed = table[table["state"] != "done"]
    if len(failed):
        for name, reason in failed["reason"].items():
            print(f"{name}: {_records.printable(reason) or 'it stopped before its last cell'}", file=sys.stderr)
        raise runs.RunError(f"{len(failed)} of {len(table)} runs failed; the same command tries them again")
    done = f"{len(table)} runs are" if len(table) > 1 else "1 run is"
    print(f"{done} done. Look at them: python -m convae_nb compare {shlex.quote(options.output)}")


def _compare(options):
    table = runs.compare(options.folder, options.over)
    if options.csv is not None:
        try:
            if Path(options.csv).suffix == ".ipynb":
                raise OSError("it is called as a notebook is")
            with open(options.csv, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                table.to_csv(file, index=options.over is None, index_label="run")
        except OSError as error:
            reason = error.strerror or error
            raise parameters.RefusedError(f"csv must be a file that can be written, got {options.csv!r}: {reason}") from None
    print(_comparing.text(table, options.over))
    same = ", ".join(f"{_records.printable(name)} {_records.shown(value)}" for name, value in table.attrs["same"].items())
    if same:
        print(f"\nThe same in all: {same}")
    if table.attrs["left_out"]:
        print(f"Runs that are not done and left out: {table.attrs['left_out']}")
    for name, reason in table.attrs["skipped"].items():
        print(f"Skipped {_records.printable(name)}: {_records.printable(reason)}", file=sys.stderr)


def _reference(options):
    # These bring TensorFlow in, which the other commands do not need.
    from convae_nb import baselines, code_sizes, comparison, decoders, pretrained

    folder = Path("build", "reference")
    if not options.names:
        decoders.choose_rates(folder)
        decoders.time_epochs()
    for name in options.names or pretrained.NAMES:
        pretrained.make(name, folder)
    if not options.names:
        baselines.tune()
        comparison.make(folder)
        code_sizes.make(folder)


def _run_all(folder):
    paths = runs.notebooks("0[1-9]_*.ipynb")
    with runs.progress(paths) as bar:
        for path in paths:
            runs.execute(path, {}, folder / path.name, bar=bar)
    print(_summary(runs.collect(folder).loc[[path.name for path in paths]]))
    print(f"Look in {folder}")


def _summary(table):
    """A line a result, behind the chapter and its seconds."""
    lines = [("chapter", "seconds", "result", "")]
    for _, run in table.iterrows():
        results = run.drop([*runs.COLUMNS, *parameters.Parameters.model_fields], errors="ignore").dropna()
        names = [(name, _records.shown(value)) for name, value in results.items()] or [("", "")]
        heads = [(run["chapter"], f"{run['seconds']:.1f}")] + [("", "")] * (len(names) - 1)
        lines += [head + name for head, name in zip(heads, names, strict=True)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cluster's job that is ended cleans up, too
    sys.exit(main())
