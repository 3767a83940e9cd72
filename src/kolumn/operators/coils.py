"""What each coil sees of the image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..shapes import COIL


@dataclass(frozen=True)
class Coils:
    """S: image (set, *batch, y, x) to coil images (*batch, coil, y, x), summed over the sets of maps.

    (S x)_c = sum_s map_sc x_s, and S^H takes z to sum_c conj(map_sc) z_c. With sum_c |map_c|^2 <= 1 its norm is at
    most 1 (the sets that ESPIRiT gives are orthogonal at each pixel).

    Reference: SENSE: sensitivity encoding for fast MRI, Pruessmann et al., 1999,
    doi:10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S.

    Attributes:
        maps: complex (set, *batch, coil, y, x).
    """

    maps: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """S x."""
        if self.maps.shape[0] == 1:
            return self.maps[0] * image[0].unsqueeze(COIL)
        return (self.maps * image.unsqueeze(COIL)).sum(0)

    def adjoint(self, coil_images: Tensor) -> Tensor:
        """S^H z."""
        return (self.maps.conj() * coil_images).sum(COIL)
