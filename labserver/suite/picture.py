"""A saved figure in a notebook: with a PNG, for JupyterLab shows no SVG of a notebook that was run elsewhere."""

import base64
import io
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

_CSS_DPI = 96
# With two pixels a length letters are sharp on dense screens; in that many colours it is still smaller than the SVG.
_PIXELS = 2
_COLOURS = 64


def narrow_path(path: Path) -> Path:
    """Where the variant for narrow windows of a figure is, as SVG."""
    return path.parent / "narrow" / path.name


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG of few colours, which takes a third of the bytes."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_PIXELS * _CSS_DPI)
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)


def show_picture(path: Path, words: str) -> None:
    """Show a figure in the notebook: as SVG where it may be shown and in exports, else as PNG, else in words.

    Args:
        path: its SVG; the PNG lies beside it, unless an older version saved the figure.
        words: what it shows.
    """
    from IPython.display import display  # noqa: PLC0415 - only there in a notebook

    shown = {
        "image/svg+xml": path.read_text(encoding="utf-8"),
        "text/plain": f"{words} ({path.parent.name}/{path.name})",
    }
    metadata = {}
    if (png := path.with_suffix(".png")).is_file():
        shown["image/png"] = base64.b64encode(png.read_bytes()).decode()
        with Image.open(png) as image:
            metadata["image/png"] = {"width": image.width // _PIXELS}
    display(shown, metadata=metadata, raw=True)
