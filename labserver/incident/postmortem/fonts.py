"""The fonts of printed pages and of Korean ones: files in packages, so they are the same on every machine."""

import base64
import importlib.util
import io
from pathlib import Path
from typing import NamedTuple


class Face(NamedTuple):
    """One face of a family, as CSS names it, and where its file is."""

    family: str
    weight: str
    style: str
    package: str
    file: str


# Those that matplotlib brings draw the figures, too.
_MATPLOTLIB = "mpl-data/fonts/ttf"
LATIN = (
    Face("Page", "normal", "normal", "matplotlib", f"{_MATPLOTLIB}/DejaVuSans.ttf"),
    Face("Page", "bold", "normal", "matplotlib", f"{_MATPLOTLIB}/DejaVuSans-Bold.ttf"),
    Face("Page", "normal", "italic", "matplotlib", f"{_MATPLOTLIB}/DejaVuSans-Oblique.ttf"),
    Face("Page", "bold", "italic", "matplotlib", f"{_MATPLOTLIB}/DejaVuSans-BoldOblique.ttf"),
    Face("Code", "normal", "normal", "matplotlib", f"{_MATPLOTLIB}/DejaVuSansMono.ttf"),
    Face("Code", "bold", "normal", "matplotlib", f"{_MATPLOTLIB}/DejaVuSansMono-Bold.ttf"),
)
KOREAN = (
    Face("Hangul", "normal", "normal", "koreanize_matplotlib", "fonts/NanumGothic.ttf"),
    Face("Hangul", "bold", "normal", "koreanize_matplotlib", "fonts/NanumGothicBold.ttf"),
)


def path_of(face: Face) -> Path | None:
    """The face's file; its package is not imported, which would change matplotlib's settings."""
    spec = importlib.util.find_spec(face.package)
    folders = spec.submodule_search_locations if spec else None
    found = [Path(folder) / face.file for folder in folders or () if (Path(folder) / face.file).is_file()]
    return found[0] if found else None


def korean() -> Path | None:
    """The file that Korean is drawn with; None unless all its faces are here."""
    paths = [path_of(face) for face in KOREAN]
    return paths[0] if all(paths) else None


def files(language: str) -> str:
    """The `@font-face` rules of the faces that are here, for a page that is printed on this machine."""
    found = ((face, path_of(face)) for face in (*LATIN, *(KOREAN if language == "ko" else ())))
    return "\n".join(_rule(face, path.as_uri()) for face, path in found if path)


def embedded(text: str) -> str:
    """The `@font-face` rules of the Korean faces as part of a page, each with the letters of a text and no others.

    Args:
        text: all that the page says.

    Returns:
        Nothing where the fonts are missing.
    """
    return "\n".join(_rule(face, _subset(path, text)) for face in KOREAN if korean() and (path := path_of(face)))


def _rule(face: Face, source: str) -> str:
    return (
        f'@font-face {{ font-family: "{face.family}"; font-weight: {face.weight}; font-style: {face.style}; '
        f'src: url("{source}"); }}'
    )


def _subset(path: Path, text: str) -> str:
    """A font as a data URL; the same letters make the same bytes."""
    from fontTools import subset  # noqa: PLC0415 - only a Korean page needs it

    options = subset.Options(flavor="woff", notdef_outline=True, recalc_timestamp=False, hinting=False)
    options.drop_tables += [f"TSI{number}" for number in range(6)]  # of the tool that hinted it
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=text)
    buffer = io.BytesIO()
    with subset.load_font(str(path), options) as font:
        subsetter.subset(font)
        subset.save_font(font, buffer, options)
    return f"data:font/woff;base64,{base64.b64encode(buffer.getvalue()).decode()}"
