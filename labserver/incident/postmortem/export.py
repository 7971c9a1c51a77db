"""The write-up's export: one HTML page, Markdown with its pictures, a PDF, or a card, in the catalogue's languages."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from labserver.errors import UsageError
from labserver.files import write_text
from labserver.incident.postmortem import figure_words
from labserver.incident.postmortem.card import write_card
from labserver.incident.postmortem.page import page_of
from labserver.incident.postmortem.pdf import write_pdf
from labserver.incident.postmortem.writeup import Writeup

FORMATS = ("html", "md", "card", "pdf")
DEFAULT_FORMATS = ("html", "md")
_PICTURE = re.compile(r"\]\((figures/[\w-]+)\.svg\)")


def write_postmortem(
    run_dir: Path, formats: Sequence[str] = DEFAULT_FORMATS, *, to: Path | None = None, language: str = "en"
) -> list[Path]:
    """Write a run's post-mortem, anew from its findings.

    Args:
        run_dir: the run.
        formats: any of `html` (one file, code folded), `md` (pictures beside it), `pdf` and `card` (the headline as a
            PNG of 1200 × 675 pixels).
        to: the folder to write to; the run itself by default.
        language: `en` or `ko`; other than English, it is part of the files' names.

    Returns:
        The files written.

    Raises:
        UsageError: there is no such format or language, or the folder cannot be written to.
        CannotRun: a PDF, or a card in Korean, needs something that this machine lacks; the others are written before.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UsageError(f"There is no format '{unknown[0]}': choose from {', '.join(FORMATS)}.")
    writeup = Writeup(run_dir, language)
    folder = to or run_dir
    stem = "postmortem" if language == "en" else f"postmortem.{language}"
    # Those last that can be missing something.
    asked = [name for name in FORMATS if name in formats]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [path for name in asked for path in _WRITERS[name](writeup, run_dir, folder / f"{stem}.{name}")]
    except OSError as error:
        raise UsageError(f"Cannot write to {folder}: {error.strerror or error}.") from None


def _write_html(writeup: Writeup, run_dir: Path, path: Path) -> list[Path]:
    write_text(path, page_of(writeup, run_dir))
    return [path]


def _write_pdf(writeup: Writeup, run_dir: Path, path: Path) -> list[Path]:
    write_pdf(page_of(writeup, run_dir, printed=True), path, writeup.words.language)
    return [path]


def _write_card(writeup: Writeup, _run_dir: Path, path: Path) -> list[Path]:
    target = path.with_name(path.name.replace("postmortem", "card", 1)).with_suffix(".png")
    write_card(writeup, target)
    return [target]


def _write_markdown(writeup: Writeup, run_dir: Path, path: Path) -> list[Path]:
    parts = [f"# {writeup.say('title')}\n", writeup.origin()]
    parts += [f"## {section.heading}\n\n{section.body}" for section in writeup.sections()]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(parts))
    suffix = "" if writeup.words.language == "en" else f".{writeup.words.language}"
    pictures = []
    for name in dict.fromkeys(_PICTURE.findall(text)):
        target = path.parent / f"{name}{suffix}.svg"
        source = run_dir / f"{name}.svg"
        if target != source:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_text(target, figure_words.drawing(source, writeup.words))
        pictures.append(target)
    write_text(path, _PICTURE.sub(rf"](\g<1>{suffix}.svg)", text))
    return [path, *pictures]


_WRITERS: dict[str, Callable[[Writeup, Path, Path], list[Path]]] = {
    "html": _write_html,
    "md": _write_markdown,
    "card": _write_card,
    "pdf": _write_pdf,
}
