"""Everything about the receive coils: noise, compression, sensitivity maps, combination."""

from .calibration import calibration_block
from .combine import combine, linear_image, root_sum_of_squares
from .compress import compress, compression_matrix
from .espirit import espirit
from .estimate import MAPS, estimate_maps
from .support import soft_support
from .walsh import walsh
from .whiten import covariance, noise_from_edge, whiten

__all__ = [
    "MAPS",
    "calibration_block",
    "combine",
    "compress",
    "compression_matrix",
    "covariance",
    "espirit",
    "estimate_maps",
    "linear_image",
    "noise_from_edge",
    "root_sum_of_squares",
    "soft_support",
    "walsh",
    "whiten",
]
