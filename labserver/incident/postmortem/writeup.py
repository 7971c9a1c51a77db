"""The write-up: its sections as Markdown, in words of the catalogue, filled from a run's findings."""

import functools
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from labserver.errors import UsageError
from labserver.incident.postmortem import fonts
from labserver.incident.postmortem.i18n.catalogue import Catalogue
from labserver.incident.postmortem.quotes import FAILED_MARK, Quotes, Standing
from labserver.suite import provenance
from labserver.suite.finding import Finding
from labserver.suite.picture import show_picture
from labserver.text import formatted

SECTIONS = (
    "summary",
    "answers",
    "background",
    "discovery",
    "cause",
    "fix",
    "verification",
    "rationale",
    "tools",
    "claims",
    "findings",
    "glossary",
)
# Long tables that few readers need: a page shows them when asked.
APPENDICES = ("claims", "findings", "glossary")
_TEMPLATES = Path(__file__).parent / "templates" / "sections"
_PICTURE = re.compile(r"!\[([^\]]*)\]\((figures/[\w-]+\.svg)\)")
_ATTACHED = re.compile(r"[/가-힣]")  # units that are written without a space
_NAMED = 3  # of what a sentence misses; the appendix lists all


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the write-up: its name, its heading and its body as Markdown."""

    name: str
    heading: str
    body: str


class Writeup:
    """Renders the sections of the post-mortem from a run's findings; it computes nothing.

    A message of the catalogue is only said where every finding that it quotes or rests on holds. Where one fails, or
    was not measured, the text says that in its place.

    Args:
        run_dir: the run whose findings are quoted.
        language: of the text, `en` or `ko`.
    """

    def __init__(self, run_dir: Path, language: str = "en") -> None:
        self.words = Catalogue(language)
        self.provenance = _provenance(run_dir)
        self._run_dir = run_dir
        self._quotes = Quotes(run_dir)
        self._missing_figures: dict[str, None] = {}
        # What the templates may say.
        self._names: dict[str, Any] = {
            "t": self.say,
            "f": self._value,
            "interval": self._interval,
            "cell": self._cell,
            "figure": self._figure,
            "standing": self._standing,
            "answer": self._answer,
            "claim": self._claim,
            "claimed": self._claimed,
            "describe": self._describe,
            "bound": self._bound,
            "measured": self._measured,
            "has": self._quotes.has,
            "verdict": self._verdict,
            "findings": self._quotes.all,
            "profile": self.provenance.get("profile") if self.provenance else "unknown",
        }

    def missing(self) -> list[str]:
        """What the sections shown so far wanted to quote and did not find: findings, then figures."""
        return [*self._quotes.missing(), *self._missing_figures]

    def section(self, name: str) -> str:
        """One section as Markdown; what was not found says so in its place.

        Args:
            name: one of `SECTIONS`.
        """
        return _environment().get_template(f"{name}.md.j2").render(self._names).strip() + "\n"

    def sections(self) -> list[Section]:
        """All sections in their order."""
        return [Section(name, self.say(f"heading.{name}"), self.section(name)) for name in SECTIONS]

    def origin(self) -> str:
        """Where the figures come from: the run's profile, time, version and machine, as a sentence of Markdown."""
        said = [self.say_origin("origin")]
        if self.words.language == "ko" and fonts.korean() is None:
            said.append(self.say("figures_as_drawn"))
        return " ".join(filter(None, said)) + "\n"

    def say_origin(self, key: str) -> str:
        """A message about the run itself; nothing where the run does not say where it comes from."""
        run = self.provenance
        if not run:
            return ""
        started = datetime.fromisoformat(run["started"]).astimezone(UTC)
        return self.say(
            key,
            profile=run["profile"],
            started=f"{started:%Y-%m-%d %H:%M}",
            version=run["versions"]["labserver"],
            python=run["versions"]["python"],
            cpus=run["machine"]["cpu_count"],
            memory=f"{run['machine']['memory_bytes'] / 2**30:.0f}",
        )

    def finding(self, reference: str) -> Finding | None:
        """A finding of the run; None where it has none of that name."""
        return self._quotes.get(reference) if self._quotes.has(reference) else None

    def findings(self) -> list[Finding]:
        """All findings of the run."""
        return list(self._quotes.all)

    def show(self, name: str) -> None:
        """Show a section in the notebook, its figures as part of it: from another folder their paths lead nowhere."""
        from IPython.display import Markdown, display  # noqa: PLC0415 - only there in a notebook

        text, *figures = _PICTURE.split(self.section(name))
        display(Markdown(text))
        for caption, path, rest in zip(figures[::3], figures[1::3], figures[2::3], strict=True):
            show_picture(self._run_dir / path, caption)
            display(Markdown(f"*{caption}*{rest}"))

    def say(self, key: str, **values: Any) -> str:
        """A message of the catalogue, or what keeps it from being said."""
        return self._guarded(*self._said(key, **values))

    def _cell(self, key: str) -> str:
        """A message as a table's cell: its figures are marked where their claims fail, in place of a long sentence."""
        text, references = self._said(key)
        return self._plain("state.not_measured") if self._quotes.absent(references) else text

    def _said(self, key: str, **values: Any) -> tuple[str, list[str]]:
        """A message as it reads where all holds, and the findings that it quotes or rests on."""
        message = self.words.message(key)
        quoted = self._quotes.watch()
        text = self._filled(message.text, values)
        return text, list(dict.fromkeys([*quoted, *self._quotes.expand(message.rests_on)]))

    def _guarded(self, text: str, references: list[str]) -> str:
        standing = self._quotes.standing(references)
        if standing is Standing.FAILED:
            return self._plain("state.failed", claims="; ".join(map(self._sentence, self._quotes.failed(references))))
        if standing is Standing.MISSING:
            absent = self._quotes.absent(references)
            return self._plain("state.missing", names=_code(absent[:_NAMED]), more=len(absent[_NAMED:]))
        return text

    def _plain(self, key: str, **values: Any) -> str:
        return self._filled(self.words.message(key).text, values)

    def _filled(self, text: str, values: dict[str, Any]) -> str:
        return _template(text).render(self._names, **values).strip()

    def _value(self, reference: str, spec: str = "", scale: float = 1.0) -> str:
        """A finding's value in a format, divided by `scale` (1000 for kB), with a mark where its claim fails."""
        finding = self._quotes.get(reference)
        if finding is None:
            return self._plain("state.not_measured")
        if finding.value is None:
            return self._plain("state.none")
        value = finding.value
        if isinstance(value, str | bool):
            text = self._word(finding) or str(value)
        else:
            text = self.words.number(formatted(value if scale == 1 else value / scale, spec))
        return text if finding.holds else f"{text} {FAILED_MARK}"

    def _interval(self, reference: str, spec: str = ",.1f", scale: float = 1.0) -> str:
        """A finding's interval in words."""
        finding = self._quotes.get(reference)
        if finding is None or finding.low is None or finding.high is None:
            return self._plain("state.not_measured")
        low, high = (self.words.number(formatted(end / scale, spec)) for end in (finding.low, finding.high))
        return self._plain("state.interval", low=low, high=high)

    def _figure(self, name: str) -> str:
        """A figure of the run with its caption, or the words that it is missing."""
        path, caption = f"figures/{name}.svg", self._plain(f"figure.{name}")
        if (self._run_dir / path).is_file():
            return f"![{caption}]({path})"
        self._missing_figures[path] = None
        return self._plain("state.no_figure", caption=caption)

    def _standing(self, *references: str) -> str:
        """Whether claims hold, in a word: yes, no, not measured."""
        return self._plain(f"standing.{self._quotes.standing(self._quotes.expand(references))}")

    def _answer(self, key: str) -> str:
        """A row of the answers that changed: said then, measured, findings, whether it holds."""
        _, references = self._said(f"{key}.measured")
        # The findings have a column of their own: what is missing need not be listed twice.
        missing = self._quotes.absent(references)
        measured = self._plain("state.not_measured") if missing else self.say(f"{key}.measured")
        return _row([self.say(f"{key}.original"), measured, _code(references), self._standing(*references)])

    def _claim(self, key: str, *references: str) -> str:
        """A claim of the incident with every finding that answers it: one row each, the claim in the first."""
        rows = []
        for at, reference in enumerate(self._quotes.expand(references)):
            finding = self._quotes.get(reference)
            evidence = _code(finding.evidence) if finding else ""
            value = self._claimed(finding) if finding else self._plain("state.not_measured")
            name = self.say(f"claim.{key}") if at == 0 else ""
            rows.append(_row([name, f"`{reference}`", value, evidence, self._standing(reference)]))
        return "\n".join(rows)

    def _claimed(self, finding: Finding) -> str:
        """Value with unit and interval, then what it was held against."""
        return self._measured(finding) + (f" — {self._bound(finding)}" if finding.bound else "")

    def _measured(self, finding: Finding) -> str:
        """Value with unit and interval."""
        low, high = map(self.words.number, finding.ends() or ("", ""))
        interval = f" ({self._plain('state.interval', low=low, high=high)})" if finding.ends() else ""
        return self._number(finding) + interval

    def _number(self, finding: Finding) -> str:
        """The value with its unit; chains, lines and answers as code."""
        if finding.value is None:
            return self._plain("state.none")
        if isinstance(finding.value, str | bool):
            return _cell_text(self._word(finding) or f"`{finding.value}`")
        number, unit = self.words.number(finding.number()), self._unit(finding)
        return f"{number}{unit}" if _ATTACHED.match(unit) else f"{number} {unit}".strip()

    def _word(self, finding: Finding) -> str | None:
        """A value that is no number, in this language."""
        phrase = finding.phrases.get("value")
        return self.words.phrase(phrase) if phrase else self.words.word(str(finding.value))

    def _unit(self, finding: Finding) -> str:
        """The unit; those without a word in it are the same in all languages."""
        phrase = finding.phrases.get("unit")
        return (self.words.phrase(phrase) if phrase else self.words.word(finding.unit)) or finding.unit

    def _verdict(self, reference: str) -> str:
        """What is said of a reason of the original's: holds, in_part, not, or how it stands."""
        standing = self._quotes.standing([reference])
        finding = self._quotes.get(reference)
        if finding is None or standing is not Standing.HOLDS:
            return str(standing)
        return {"holds": "holds", "holds in part": "in_part"}.get(str(finding.value), "not")

    def _sentence(self, finding: Finding) -> str:
        undecided = f" ({self._plain('state.undecided')})" if finding.undecided else ""
        return f"`{finding.reference}` = {self._claimed(finding)}{undecided}"

    def _describe(self, finding: Finding) -> str:
        return self.words.finding(finding.reference) or f"`{finding.name}`"

    def _bound(self, finding: Finding) -> str:
        """What the finding was held against; as code where only its English is known."""
        parts = finding.bound.phrases() if finding.bound else ()
        return _cell_text(": ".join(self.words.phrase(part) or f"`{part}`" for part in parts))


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=False,  # noqa: S701 - it is Markdown: the page escapes what it converts
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def _template(text: str) -> jinja2.Template:
    # Compiling takes 45 times as long as filling.
    return _environment().from_string(text)


def _provenance(run_dir: Path) -> dict[str, Any]:
    """Where the run comes from; nothing where it does not say."""
    path = run_dir / provenance.FILE_NAME
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        raise UsageError(f"{path.name} is not a file of provenance.") from None
    return document


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell_text(text: str) -> str:
    return text.replace("|", "\\|")


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))
