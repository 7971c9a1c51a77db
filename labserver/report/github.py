"""A check's result for a CI system's own pages: Markdown for a job's summary, and annotations at the guilty lines."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from labserver.amounts import size
from labserver.diagnosis.fact import State
from labserver.diagnosis.result import CheckResult, Finding, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.report.allocation import allocation_of
from labserver.report.contents import what_came
from labserver.report.growth import growth_sentence, share, small_sentence
from labserver.report.headline import headline, how, reason, verdict_sentence, verdict_word
from labserver.report.holder_chain import holder_name
from labserver.report.terminal import render

_SIGNS = {"LEAK": "🔴", "NO LEAK": "🟢", "LEAK, ACCEPTED": "🟡", "INCONCLUSIVE": "🟡", "CANNOT SAY": "🟡"}
_SITE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?: in .*)?")


def summary_of(result: CheckResult) -> str:
    """The result in GitHub's Markdown: verdict, a table of holders, and the whole page folded away."""
    word = verdict_word(result)
    lines = [f"### {_SIGNS[word]} {word}", "", f"**{_plain(verdict_sentence(result))}**", "", _plain(how(result)), ""]
    lines += [line for finding in result.leading for line in (_bullet(finding), "")]
    if result.holders:
        lines += [
            "| holder | retained | growth | allocated at | called from |",
            "|---|---:|---:|---|---|",
            *(_row(result, holder) for holder in result.holders),
            "",
        ]
    lines += map(_bullet, result.following)
    if small := small_sentence(result):
        lines += ["", small]
    lines += ["", _plain(growth_sentence(result)), ""]
    page = render(result).rstrip()
    fence = "`" * (1 + max(map(len, re.findall("`{4,}", page)), default=4))  # longer than any in what it encloses
    lines += ["<details><summary>Chains, hints and notes</summary>", "", f"{fence}text", page, fence]
    return "\n".join([*lines, "", "</details>", ""])


def _bullet(finding: Finding) -> str:
    return f"- {_plain(finding.text)}{_state(finding)}"


def _row(result: CheckResult, holder: NamedHolder) -> str:
    lines = " | ".join(_cell(line) if line else "" for line in allocation_of(holder))
    name = f"{_cell(holder_name(holder))} ({_plain(what_came(holder))}){_state(holder)}"
    return f"| {name} | {size(holder.retained_bytes)} | {share(result, holder)} | {lines} |"


def _state(one: NamedHolder | Finding) -> str:
    return "" if one.status is None else f" – {_plain(one.status.text)}"


def _cell(text: str) -> str:
    return "`{}`".format(text.replace("`", "'").replace("|", "\\|").replace("\n", " "))


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", text.replace("\n", " "))


def annotations_of(result: CheckResult) -> Iterator[str]:
    """GitHub's annotation lines: one at each line that allocated what leaks, else one for the verdict."""
    if result.verdict is Verdict.NO_LEAK:
        return
    if result.verdict is Verdict.INCONCLUSIVE:
        yield _annotation("warning", reason(result), None)
        return
    texts = [f"{holder_name(one)} keeps {size(one.retained_bytes)}; {one.hint}" for one in result.holders]
    texts += [one.text for one in result.findings]
    for one, text in zip(result.parts, texts, strict=True):
        accepted = one.status is not None and one.status.state is State.ACCEPTED
        state = "" if one.status is None else f" ({one.status.text})"
        yield _annotation("notice" if accepted else "error", text + state, next(iter(one.allocated_at), None))
    if not texts:
        yield _annotation("error", headline(result), None)


def _annotation(level: str, text: str, site: str | None) -> str:
    found = _SITE.fullmatch(site or "")
    properties = [f"file={_property(_from_the_root(found['file']))}", f"line={found['line']}"] if found else []
    return f"::{level} {','.join([*properties, 'title=Memory leak check'])}::{_data(text)}"


def _from_the_root(file: str) -> str:
    """A file of the working directory as the repository names it, which is what GitHub looks for."""
    root = os.environ.get("GITHUB_WORKSPACE")
    path = Path.cwd() / file
    return path.relative_to(root).as_posix() if root and path.is_relative_to(root) else file


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
