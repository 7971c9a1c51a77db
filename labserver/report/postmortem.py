"""The write-up: sections filled from findings, and its export as one HTML page or as Markdown with its pictures."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from nbconvert import HTMLExporter, MarkdownExporter
from traitlets.config import Config

from labserver.errors import UsageError
from labserver.suite.findings import Finding, load_findings

NOTEBOOK = "10_write_the_postmortem"
FORMATS = ("html", "md")
_TEMPLATES = Path(__file__).parent / "templates"


class Writeup:
    """Renders the sections of the post-mortem from a run's findings; it computes nothing.

    Args:
        run_dir: the run whose findings are quoted.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._missing: list[str] = []
        self._findings = {(f.notebook[:2], f.name): f for f in load_findings(run_dir)}
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES / "sections"),
            autoescape=False,  # noqa: S701 - Markdown, not HTML; the exporter cleans what it converts
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    @property
    def findings(self) -> list[Finding]:
        """All findings of the run, by notebook and name."""
        return list(self._findings.values())

    def missing(self) -> list[str]:
        """What the sections shown so far wanted to quote and did not find, by name."""
        return list(dict.fromkeys(self._missing))

    def section(self, name: str) -> str:
        """One section as Markdown; what was not found says so in its place.

        Args:
            name: a file of `templates/sections`, without its suffix.
        """
        return self._templates.get_template(f"{name}.md.j2").render(
            f=self._quote, interval=self._interval, holds=self._holds, figure=self._figure, findings=self.findings
        )

    def show(self, name: str) -> None:
        """Show a section in the notebook."""
        from IPython.display import Markdown, display  # noqa: PLC0415 - only there in a notebook

        display(Markdown(self.section(name)))

    def _quote(self, notebook: str, name: str, spec: str = "", scale: float = 1.0) -> str:
        """A finding's value, formatted; `scale` divides it (1000 for kB)."""
        finding = self._findings.get((notebook, name))
        if finding is None or finding.value is None:
            return self._not_measured(notebook, name)
        if isinstance(finding.value, int | float) and not isinstance(finding.value, bool):
            return format(finding.value / scale if scale != 1.0 else finding.value, spec)
        return str(finding.value)

    def _interval(self, notebook: str, name: str, spec: str = ",.1f", scale: float = 1.0) -> str:
        """A finding's interval as `low to high`."""
        finding = self._findings.get((notebook, name))
        if finding is None or finding.low is None or finding.high is None:
            return self._not_measured(notebook, name)
        return f"{format(finding.low / scale, spec)} to {format(finding.high / scale, spec)}"

    def _holds(self, notebook: str, name: str) -> bool | None:
        """Whether a finding's claim holds; None where it was not measured."""
        finding = self._findings.get((notebook, name))
        return finding.holds if finding else None

    def _figure(self, name: str, caption: str) -> str:
        """A figure of the run with its caption, or the words that it is missing."""
        path = f"figures/{name}.svg"
        if (self._run_dir / path).is_file():
            return f"![{caption}]({path})"
        self._missing.append(path)
        return f"*(no figure: {caption})*"

    def _not_measured(self, notebook: str, name: str) -> str:
        self._missing.append(f"{notebook} {name}")
        return "*not measured in this run*"


def write_postmortem(run_dir: Path, formats: Sequence[str] = FORMATS, *, to: Path | None = None) -> list[Path]:
    """Export a run's write-up.

    Args:
        run_dir: the run; its `10_write_the_postmortem.ipynb` is exported.
        formats: any of `html` (one file, code folded) and `md` (pictures beside it, no code).
        to: the folder to write to; the run itself by default.

    Returns:
        The files written.

    Raises:
        UsageError: a format is unknown, or the run has no write-up.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UsageError(f"There is no format '{unknown[0]}': choose from {', '.join(FORMATS)}.")
    notebook_path = run_dir / f"{NOTEBOOK}.ipynb"
    if not notebook_path.is_file():
        raise UsageError(f"{run_dir.name} has no {NOTEBOOK}.ipynb: run it with 'labserver run' first.")
    notebook = _without_parameters(nbformat.read(notebook_path, as_version=4))
    folder = to or run_dir
    folder.mkdir(parents=True, exist_ok=True)
    writers = {"html": _write_html, "md": _write_markdown}
    return [path for name in formats for path in writers[name](notebook, run_dir, folder)]


def _write_html(notebook: Any, run_dir: Path, folder: Path) -> list[Path]:
    config = Config()
    config.HTMLExporter.template_name = "html"
    config.HTMLExporter.extra_template_basedirs = [str(_TEMPLATES)]
    config.HTMLExporter.embed_images = True
    exporter = HTMLExporter(config=config)
    resources = {
        "title": _title(notebook),
        "css": (_TEMPLATES / "html" / "style.css").read_text(encoding="utf-8"),
        "metadata": {"path": str(run_dir)},
    }
    page, _ = exporter.from_notebook_node(notebook, resources=resources)
    path = folder / "postmortem.html"
    path.write_text(page, encoding="utf-8")
    return [path]


def _write_markdown(notebook: Any, run_dir: Path, folder: Path) -> list[Path]:
    exporter = MarkdownExporter(exclude_input=True)
    text, _ = exporter.from_notebook_node(notebook)
    text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    path = folder / "postmortem.md"
    path.write_text(text, encoding="utf-8")
    pictures = []
    for name in dict.fromkeys(re.findall(r"\]\((figures/[\w.-]+)\)", text)):
        target = folder / name
        if folder != run_dir:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run_dir / name, target)
        pictures.append(target)
    return [path, *pictures]


def _title(notebook: Any) -> str:
    first = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    return first.partition("\n")[0].lstrip("# ") or "Post-mortem"


def _without_parameters(notebook: Any) -> Any:
    """The injected run directory is a path of this machine: no reader's business."""
    notebook.cells = [
        cell
        for cell in notebook.cells
        if not {"parameters", "injected-parameters"} & set(cell.metadata.get("tags", []))
    ]
    return notebook
