"""``kolumn lecture``: the figures and claims of the lecture behind kolumn, reproduced."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from .options import Overwrite

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="An experiment; or list, to see them; all; or gallery, the pages from what stands there."
    ),
]
Output = Annotated[str, typer.Option("--output", "-o", help="Folder for figures, numbers and pages.")]


def lecture(name: Name, output: Output = "kolumn-lecture", overwrite: Overwrite = False) -> None:
    """Run an experiment of the lecture: write its figure and its numbers, and say whether they bear out its claim.

    Writes NAME.json and NAME.png into the folder; "all" those of each experiment, and index.html and README.md, which
    show them. Each takes seconds to a few minutes.
    """
    from ..lecture import check_name

    doors = {"list": _list, "all": _all, "gallery": _gallery}
    if name in doors:
        doors[name](Path(output), overwrite)
        return
    _run(check_name(name), Path(output), overwrite)


def _list(folder: Path, overwrite: bool) -> None:
    from ..lecture import EXPERIMENTS

    width = max(map(len, EXPERIMENTS)) + 2
    for name, claim in EXPERIMENTS.items():
        print(textwrap.fill(claim, 100, initial_indent=name.ljust(width), subsequent_indent=" " * width))  # noqa: T201


def _all(folder: Path, overwrite: bool) -> None:
    from ..lecture import EXPERIMENTS
    from ..lecture.gallery import PAGES, save_gallery
    from ..lecture.runner import check_targets, files_of
    from .console import say

    check_targets(folder, [*(file for name in EXPERIMENTS for file in files_of(name)), *PAGES], overwrite)
    for name in EXPERIMENTS:
        _run(name, folder, overwrite)
    save_gallery(folder, overwrite)
    say(f"the gallery is {folder / 'index.html'}")


def _gallery(folder: Path, overwrite: bool) -> None:
    from ..lecture.gallery import save_gallery
    from .console import say

    save_gallery(folder, overwrite)
    say(f"the gallery is {folder / 'index.html'}")


def _run(name: str, folder: Path, overwrite: bool) -> None:
    from ..lecture.runner import run_experiment
    from .console import say

    record = run_experiment(name, folder, overwrite)
    say(f"{name}: {record['verdict']} ({record['seconds']:.1f} s). {record['words']}")
