"""The page printed as PDF by WeasyPrint, with fonts that come in packages: the same pages on every machine."""

import contextlib
import importlib.util
import io
import logging
from pathlib import Path
from typing import Any

from labserver.errors import CannotRun
from labserver.suite.files import write_bytes

_NO_PACKAGE = "A PDF needs WeasyPrint: pip install 'labserver[pdf]'."
_NO_LIBRARY = (
    "A PDF needs the system library Pango: on Debian 'apt install libpangoft2-1.0-0', on macOS 'brew install pango'."
)
_NO_KOREAN = "A PDF in Korean needs Korean fonts, which koreanize-matplotlib carries: pip install 'labserver[pdf]'."
# Family, weight, package, file: those that matplotlib brings draw the figures, too.
_LATIN = (
    ("Page", "normal", "matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"),
    ("Page", "bold", "matplotlib", "mpl-data/fonts/ttf/DejaVuSans-Bold.ttf"),
    ("Code", "normal", "matplotlib", "mpl-data/fonts/ttf/DejaVuSansMono.ttf"),
)
_KOREAN = (
    ("Hangul", "normal", "koreanize_matplotlib", "fonts/NanumGothic.ttf"),
    ("Hangul", "bold", "koreanize_matplotlib", "fonts/NanumGothicBold.ttf"),
)


def why_not(language: str = "en") -> str:
    """What this machine lacks for a PDF in this language, with what to install; nothing where it can print one."""
    if importlib.util.find_spec("weasyprint") is None:
        return _NO_PACKAGE
    try:
        _weasyprint()
    except OSError:
        return _NO_LIBRARY
    return _NO_KOREAN if language == "ko" and not korean_fonts() else ""


def korean_fonts() -> bool:
    """Whether the fonts for Korean are here."""
    return all(_path(package, file) for _, _, package, file in _KOREAN)


def write_pdf(page: str, path: Path, language: str = "en") -> None:
    """Print a page.

    Args:
        page: HTML that fetches nothing.
        path: the file to write; what is there stays until the new one is whole.
        language: decides on the fonts.

    Raises:
        CannotRun: something is missing here; the sentence says what to install.
    """
    reason = why_not(language)
    if reason:
        raise CannotRun(reason)
    weasyprint = _weasyprint()
    # It warns of CSS for screens, which a printer may ignore.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    fonts = weasyprint.text.fonts.FontConfiguration()
    style = weasyprint.CSS(string=_font_faces(language), font_config=fonts)
    # Dates are those of the run, which the page states; an identifier of its own would differ from print to print.
    document = weasyprint.HTML(string=page).render(stylesheets=[style], font_config=fonts)
    write_bytes(path, document.write_pdf(pdf_identifier=b"labserver"))


def _weasyprint() -> Any:
    """The package; on a machine without its libraries it would print a page of advice, for which we have a sentence."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        import weasyprint  # noqa: PLC0415 - slow, and not everywhere
        import weasyprint.text.fonts  # noqa: PLC0415
    return weasyprint


def _font_faces(language: str) -> str:
    faces = []
    for family, weight, package, file in (*_LATIN, *(_KOREAN if language == "ko" else ())):
        path = _path(package, file)
        if path:
            faces.append(
                f'@font-face {{ font-family: "{family}"; font-weight: {weight}; src: url("{path.as_uri()}"); }}'
            )
    return "\n".join(faces)


def _path(package: str, file: str) -> Path | None:
    """A file of a package that is not imported: importing koreanize-matplotlib changes matplotlib's settings."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    found = [Path(folder) / file for folder in folders or () if (Path(folder) / file).is_file()]
    return found[0] if found else None
