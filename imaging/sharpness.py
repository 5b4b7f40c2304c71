"""How sharp a picture is: how much its levels differ from those around them.

Variance of the Laplacian: J. L. Pech-Pacheco, G. Cristobal, J. Chamorro-Martinez, J. Fernandez-Valdivia, "Diatom
autofocusing in brightfield microscopy: a comparative study", ICPR 2000. It grows with the content as well as with the
focus, and is compared among pictures of one kind.
"""

import numpy as np
from PIL import Image

_SIDE = 256  # pixels: at full size, noise would count, and a phone's picture would be blurred beside a thumbnail


def measure(luma: Image.Image) -> float:
    """The variance of a grey picture's Laplacian, after its longer side is made 256 pixels if it has more.

    Args:
      luma: mode "L".

    Returns:
      0 for a picture of one colour, or of fewer than three pixels a side; levels from 0 to 1 have variances up to 16.
    """
    scale = _SIDE / max(luma.size)
    if scale < 1:
        size = max(1, round(luma.width * scale)), max(1, round(luma.height * scale))
        luma = luma.resize(size, Image.Resampling.BOX)
    levels = np.asarray(luma, np.float32) / 255
    if min(levels.shape) < 3:
        return 0.0
    centre = levels[1:-1, 1:-1]
    around = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:]
    return float((around - 4 * centre).var())
