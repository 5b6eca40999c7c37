"""What the noise explorer shows, without Matplotlib, which would need longer than all the rest of a move: strips as PNG, a curve as SVG."""

import html
import io
from collections.abc import Mapping

import matplotlib
import numpy as np
from PIL import Image

from convae_nb.plots.pictures import strongest

_TOP = 40  # dB, where its axis ends
_LINES = {
    "network": ("stroke: #3f90da; stroke-width: 2; fill: #3f90da", "none"),
    "noisy": ("stroke: #a96b59; stroke-width: 2; fill: white", "5 4"),
}


def png(images: np.ndarray, signed: bool = False) -> bytes:
    """The images side by side; signed ones, in [-1, 1], blue below zero and red above, as `plots.image_rows` draws them."""
    strip = np.concatenate(images, axis=1)
    if signed:
        pixels = matplotlib.colormaps["RdBu_r"]((strongest(strip) + 1) / 2, bytes=True)[..., :3]
    else:
        pixels = np.rint(strip * 255).astype("uint8")
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "png", compress_level=1)
    return file.getvalue()


def curve(levels: np.ndarray, curves: Mapping[str, np.ndarray], level: float, quality: Mapping[str, tuple[float, float]], name: str) -> str:
    """PSNR against level with the present one marked, as SVG."""
    left, top, width, height = 44, 12, 330, 130  # of the axes, in units of the drawing

    def x(level):
        return round(left + width * (level - levels[0]) / (levels[-1] - levels[0]), 1)

    def y(psnr):
        return round(top + height * (1 - psnr / _TOP), 1)

    axes = "".join(
        f'<path d="M{left} {y(psnr)}h{width}" stroke="currentColor" opacity=".2"/>'
        f'<text x="{left - 6}" y="{y(psnr) + 4}" text-anchor="end">{psnr}</text>'
        for psnr in range(0, _TOP + 1, 10)
    )
    for at in np.linspace(levels[0], levels[-1], 5):
        axes += f'<text x="{x(at)}" y="{top + height + 16}" text-anchor="middle">{at:g}</text>'
    axes += f'<text x="{left + width / 2}" y="{top + height + 34}" text-anchor="middle">{html.escape(name)}</text>'
    axes += f'<text transform="translate(12 {top + height / 2}) rotate(-90)" text-anchor="middle">PSNR (dB)</text>'
    lines = legend = ""
    for i, (row, (style, dash)) in enumerate(_LINES.items()):
        psnr, _ = quality[row]
        points = " ".join(f"{x(at)},{y(value)}" for at, value in zip(levels, curves[row], strict=True))
        line, dot = f'style="{style}; fill: none" stroke-dasharray="{dash}"', f'r="5" style="{style}"'
        lines += f'<polyline points="{points}" {line}/><circle cx="{x(level)}" cy="{y(psnr)}" {dot}/>'
        right, middle = left + width + 14, top + 20 + 24 * i
        legend += f'<path d="M{right} {middle}h34" {line}/><circle cx="{right + 17}" cy="{middle}" {dot}/>'
        legend += f'<text x="{right + 42}" y="{middle + 4}">{row} {psnr:.1f} dB</text>'
    description = f"PSNR against level: at {name} {level:g}, noisy {quality['noisy'][0]:.1f} dB, network {quality['network'][0]:.1f} dB"
    size, style = f"{left + width + 160} {top + height + 40}", "width: 100%; max-width: 580px"
    # The inner drawing cuts off what is above the axes, but for a point on their edge.
    return (
        f'<svg viewBox="0 0 {size}" style="{style}" font-size="12" fill="currentColor" role="img" aria-label="{html.escape(description)}">'
        f'{axes}{legend}<svg y="{top - 7}" width="{left + width + 7}" height="{height + 14}">'
        f'<g transform="translate(0 {7 - top})">{lines}</g></svg></svg>'
    )
