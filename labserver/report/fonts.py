"""The fonts of the printed pages and of Korean figures: files in packages, so they are the same on every machine."""

import importlib.util
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


def css(language: str) -> str:
    """The `@font-face` rules of the faces that are here."""
    faces = (*LATIN, *(KOREAN if language == "ko" else ()))
    return "\n".join(
        f'@font-face {{ font-family: "{face.family}"; font-weight: {face.weight}; font-style: {face.style}; '
        f'src: url("{path.as_uri()}"); }}'
        for face in faces
        if (path := path_of(face))
    )
