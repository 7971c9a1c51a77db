"""The page printed as PDF by WeasyPrint, with fonts that come in packages: the same pages on every machine."""

import contextlib
import importlib.util
import io
import logging
import re
from pathlib import Path
from typing import Any

from labserver.errors import CannotRun
from labserver.files import write_bytes
from labserver.incident.postmortem import fonts

_NO_PACKAGE = "A PDF needs WeasyPrint: pip install 'labserver[pdf]'."
_NO_LIBRARY = (
    "A PDF needs the system library Pango: on Debian 'apt install libpangoft2-1.0-0', on macOS 'brew install pango'."
)
_NO_KOREAN = "A PDF in Korean needs Korean fonts, which koreanize-matplotlib carries: pip install 'labserver[pdf]'."
# A word in Hangul, between tags of the page's body.
_TEXT = re.compile(r"(?<=>)[^<>]*[가-힣][^<>]*(?=<)")
_WORD = re.compile(r"[^\s&;]*[가-힣][^\s&;]*")


def why_not(language: str = "en") -> str:
    """What this machine lacks for a PDF in this language, with what to install; nothing where it can print one."""
    if importlib.util.find_spec("weasyprint") is None:
        return _NO_PACKAGE
    try:
        _weasyprint()
    except OSError:
        return _NO_LIBRARY
    return _NO_KOREAN if language == "ko" and fonts.korean() is None else ""


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
    known = weasyprint.text.fonts.FontConfiguration()
    style = weasyprint.CSS(string=fonts.files(language), font_config=known)
    # Dates are those of the run, which the page states; an identifier of its own would differ from print to print.
    whole = weasyprint.HTML(string=_unbroken(page) if language == "ko" else page)
    document = whole.render(stylesheets=[style], font_config=known)
    write_bytes(path, document.write_pdf(pdf_identifier=b"labserver", pdf_tags=True))


def _unbroken(page: str) -> str:
    """The page with its Korean words kept whole: WeasyPrint does not know `word-break: keep-all`."""
    head, tag, body = page.partition("<body>")
    words = _TEXT.sub(lambda text: _WORD.sub(r'<span class="word">\g<0></span>', text[0]), body)
    return head + tag + words


def _weasyprint() -> Any:
    """The package; on a machine without its libraries it would print a page of advice, for which we have a sentence."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        import weasyprint  # noqa: PLC0415 - slow, and not everywhere
        import weasyprint.text.fonts  # noqa: PLC0415
    return weasyprint
