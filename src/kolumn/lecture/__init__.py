"""The lecture that kolumn grew out of: each figure and claim, as a script that anyone can run.

How an experiment is written, so that ``kolumn lecture`` has it by itself:

* One file ``lecture/<name>.py`` (``layer-scales`` lives in ``layer_scales.py``) with one public function
  ``run() -> Result``. Its claim stands in EXPERIMENTS below, and nowhere else.
* The computation is a function with its sizes and its ``torch.Generator`` as arguments, which tests call with small
  ones; ``run`` calls it with those of the lecture. It takes seconds to two minutes on two cores, loads nothing from
  the network, and gives the same numbers every time: the global random state is neither read nor touched (so layers
  are initialised by hand from a generator, or inside ``torch.random.fork_rng``).
* The verdict is computed from the numbers, by a function of its own that tests feed with numbers of either kind. It
  must be able to say no; where the claim does not hold, or holds in part, ``words`` say so.
* ``Result(numbers, verdict, words, figure)``: ``numbers`` are what JSON can hold (no NaN, no tensors), with units in
  their names (``seconds``, ``psnr_db``), n and spread where something was repeated; ``words`` are one to three plain
  sentences with the numbers that decide.
* The figure is made by :func:`kolumn.lecture.style.canvas` and drawn with the methods of its axes, never with pyplot,
  whose state is global. Its titles say the finding. Images of a row share one grey scale; error maps say theirs.
  The runner draws in one style (``style.STYLE``), so experiments set no fonts; COLOURS are for lines.

``kolumn lecture NAME`` writes NAME.json and NAME.png; ``kolumn lecture all`` writes those of each, and the pages that
show them (index.html, README.md); ``kolumn lecture gallery`` makes the pages again from the JSON beside them. The
pages in the docs are made by ``kolumn lecture all -o docs/lecture --overwrite``.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from ..errors import ArgumentError

if TYPE_CHECKING:
    from .result import Run

__all__ = ["EXPERIMENTS", "check_name", "load"]

# In the order of the lecture: name -> the claim it tests
EXPERIMENTS: dict[str, str] = {
    "layer-scales": "Gradients differ in scale from layer to layer, so one learning rate does not fit all.",
    "trajectories": "On an ill-conditioned noisy problem SGD sets off in the wrong direction, RMSprop sets off in the "
    "right one but bounces around the optimum, and Adam is smooth.",
    "adam-fails": "There is a simple convex problem on which Adam does not converge and AMSGrad does.",
    "generalisation": "There is an over-parameterised problem on which Adam fits the training data as SGD does and "
    "generalises worse.",
    "buffers": "Adam needs 3 buffers for each parameter, SGD 2.",
    "normalised": "Without a and b the output has mean 0 and standard deviation 1; with them it can have any range, so "
    "the layers keep the power of the network.",
    "statistics-gradient": "Back-propagating through the mean and the standard deviation matters: training with "
    "detached statistics diverges.",
    "larger-rates": "Normalisation allows larger learning rates.",
    "initialisation": "Normalisation forgives a bad initialisation.",
    "batch-noise": "The statistics of a batch are noisy, which regularises; group norm does not depend on the batch "
    "size.",
    "mri-linear": "K-space is the image as sine waves with a magnitude and a phase, and the inverse FFT gives the "
    "image in milliseconds at any size.",
    "mri-undersampled": "With random columns skipped, the middle ones must be kept: the linear map then gives an image "
    "that shows the object under incoherent aliasing, and without them not even that.",
    "mri-sparse-exact": "A sparse image is recovered exactly from few incoherent samples of its Fourier transform, and "
    "not from as many coherent ones.",
    "mri-compressed-sensing": "Total variation and wavelets make a good but not a perfect image of undersampled data, "
    "and take longer per slice than the linear map.",
    "mri-network": "A U-Net with group norm, trained by Adam, makes in one step a better image than compressed sensing "
    "does in many.",
    "mri-norms": "The same U-Net learns better with a normalisation layer than with none, and with Adam than with SGD.",
}


def check_name(name: str) -> str:
    """The name of an experiment.

    Raises:
        ArgumentError: there is none of that name.
    """
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name.lower(), EXPERIMENTS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ArgumentError(f"there is no experiment {name!r}{hint}; `kolumn lecture list` shows them all")
    return name


def load(name: str) -> Run:
    """The function ``run`` of an experiment.

    Raises:
        ArgumentError: there is none of that name.
    """
    from importlib import import_module

    run: Run = import_module(f".{check_name(name).replace('-', '_')}", __name__).run
    return run
