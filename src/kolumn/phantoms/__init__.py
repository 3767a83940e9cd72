"""Simulated scans: Shepp-Logan, an anatomical head, coil arrays, image phase and noise."""

from .anatomy import CONTRASTS, anatomy, anatomy_volume, field_of_view
from .arrays import ARRAYS, biot_savart, birdcage, loop_field
from .noise import coil_covariance, complex_noise
from .phase import smooth_phase
from .shepp_logan import shepp_logan, shepp_logan_kspace
from .simulate import PHANTOMS, phantom, simulate

__all__ = [
    "ARRAYS",
    "CONTRASTS",
    "PHANTOMS",
    "anatomy",
    "anatomy_volume",
    "biot_savart",
    "birdcage",
    "coil_covariance",
    "complex_noise",
    "field_of_view",
    "loop_field",
    "phantom",
    "shepp_logan",
    "shepp_logan_kspace",
    "simulate",
    "smooth_phase",
]
