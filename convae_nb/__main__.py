"""``python -m convae_nb run CHAPTER -p name=value``: run the chapters from the command line.

Exit codes: 0 done, 1 something was started and failed, 2 refused before anything was started.
"""

import argparse
import logging
import sys
from pathlib import Path

from convae_nb import parameters, runs


def main(arguments=None):
    """Do what a command line asks for, and return the exit code."""
    options = _parser().parse_args(arguments)
    for name in ("papermill", "traitlets"):  # they log what stands in the error's one line, too
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        options.command(options)
    except (parameters.RefusedError, runs.RunError, OSError) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, parameters.RefusedError) else 1
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m convae_nb", description="Run the chapters.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="execute a chapter, or all of them", allow_abbrev=False)
    run.add_argument("chapter", metavar="CHAPTER", help="number (3), stem (03_training) or path; all: every chapter, with its defaults")
    run.add_argument("-p", "--parameter", metavar="NAME=VALUE", action="append", default=[], help="once for each parameter")
    run.add_argument("--output", metavar="FILE", help="the executed notebook, build/run/STEM.ipynb if not given")
    run.set_defaults(command=_run)
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
        output = options.output or Path("build", "run", path.name)
        with runs.progress([path]) as bar:
            runs.execute(path, values, output, bar=bar)
        print(f"Look in {output}")


def _reference(options):
    from convae_nb import baselines, comparison, decoders, pretrained  # bring TensorFlow in, which the other commands do not need

    folder = Path("build", "reference")
    if not options.names:
        decoders.choose_rates(folder)
        decoders.time_epochs()
    for name in options.names or pretrained.NAMES:
        pretrained.make(name, folder)
    if not options.names:
        baselines.tune()
        comparison.make(folder)


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
        names = [(name, runs.shown(value)) for name, value in results.items()] or [("", "")]
        heads = [(run["chapter"], f"{run['seconds']:.1f}")] + [("", "")] * (len(names) - 1)
        lines += [head + name for head, name in zip(heads, names, strict=True)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)


if __name__ == "__main__":
    sys.exit(main())
