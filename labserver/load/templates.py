"""A journey written on the command line: one request after another, each able to use what the last one answered.

A request is spelt `METHOD /path`, and after that, in this order, as many of these as it needs:

    header=NAME:VALUE           a header; in quotes where it has spaces: header="Authorization: Bearer {token}"
    file=FIELD@PATH             a file to upload, as a form with that field (`file` where it is left out)
    until=FIELD=VALUE           ask again until the JSON answer says so: until=status=DONE, until=job.state=DONE|FAILED
    until=CODE                  ask again until the answer has that HTTP status
    expect=CODE                 the answer's HTTP status, where that is not one below 400: expect=422, expect=2xx|404
    json={…}  or  data=a=1&b=2  the body, to the end of the text

Between two questions of an `until` there are 20 ms, then more, up to half a second; after 30 s the job has failed.
`{name}` in a path, a header or a body is filled as `labserver.load.placeholders` says. An answer of 400 or above fails
the job, and so does one of another status than `expect` says, where it stands.
"""

import json
import mimetypes
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

import requests

from labserver.errors import UsageError
from labserver.load.answer import answer_of
from labserver.load.expected import SUCCESS, Expected
from labserver.load.http import TimedAdapter, error_kind
from labserver.load.journey import FAILURE_PAUSE_S, CutShortError, Outcome
from labserver.load.placeholders import FRESH, NAME, Known, field, in_json, plain
from labserver.load.samples import Samples
from labserver.names import closest

CHECK = "requests answered"
POLL_WITHIN_S = 30.0
_FIRST_POLL_S = 0.02
_LAST_POLL_S = 0.5
_SYNTAX = re.compile(r"([A-Za-z]+)\s+(/\S*)(?:\s+(.*))?", re.DOTALL)
_OPTION = re.compile(r"""(header|file|until|expect)=((?:"[^"]*"|'[^']*'|[^\s"'])+)(?:\s+|$)""")
_QUOTED = re.compile(r""""([^"]*)"|'([^']*)'""")
_BODY = re.compile(r"(json|data)=(.*)", re.DOTALL)
_REFUSED_PAUSE_S = 0.02  # an application that answers with an error is still at work; one that does not answer rests
_MISSPELT = re.compile(r"([\w-]+)=")
_KNOWN = ("header", "file", "until", "expect", "json", "data")
_ALIKE = 0.6
_HELP = (
    "'METHOD /path', 'METHOD /path json={…}' or 'METHOD /path data=…', with header=, file=, until= or expect= before "
    "the body"
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form.

    Attributes:
        field: the form's field.
        name: the file's name.
        content: what is in it.
    """

    field: str
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Until:
    """What an answer has to say before the job goes on.

    Attributes:
        field: a dotted path into the JSON answer; empty for the HTTP status.
        values: any of them will do.
    """

    field: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        """Give it as it is written in a request."""
        return f"until={self.field}={'|'.join(self.values)}" if self.field else f"until={self.values[0]}"


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """One request, with `{name}` for what an earlier answer gives.

    Attributes:
        method: in capitals.
        path: with its query.
        body_kind: `json`, `data` or empty.
        body: the body as it was written.
        headers: names and values.
        uploads: files of the form.
        until: what the answer is waited for to say.
        expected: the statuses that it may have.
    """

    method: str
    path: str
    body_kind: str = ""
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    uploads: tuple[Upload, ...] = ()
    until: Until | None = None
    expected: Expected = SUCCESS

    @property
    def names(self) -> list[str]:
        """What it needs to know."""
        return NAME.findall(" ".join([self.path, self.body, *(value for _, value in self.headers)]))

    def __str__(self) -> str:
        """Give the request without its headers and its body."""
        return f"{self.method} {self.path}"

    def refusal(self, status: int) -> str | None:
        """Why an answer of a status fails the job; None where it does not."""
        if status in self.expected:
            return None
        if self.expected != SUCCESS:
            return f"{self} answered {status}, not {self.expected}"
        # What a server refuses may be what is to be measured; what breaks it is not.
        is_refused = status < requests.codes.server_error
        return f"{self} answered {status}" + (f" (if that is the job, say expect={status})" if is_refused else "")

    def send(self, session: requests.Session, base_url: str, known: Known) -> requests.Response:
        """Send it with the names filled in.

        Raises:
            KeyError: a name is not known.
            requests.RequestException: there was no whole answer.
        """
        url = base_url + known.fill(self.path, lambda value: quote(plain(value), safe=""))
        headers = {name: known.fill(value, plain) for name, value in self.headers}
        if self.uploads:
            fields = [(name, known.fill(value, plain)) for name, value in parse_qsl(self.body, keep_blank_values=True)]
            return session.request(self.method, url, headers=headers, data=fields, files=self._files())
        if not self.body_kind:
            return session.request(self.method, url, headers=headers)
        if self.body_kind == "json":
            body, kind = known.fill(self.body, in_json), "application/json"
        else:
            body = known.fill(self.body, plain if self._has_kind() else lambda value: quote_plus(plain(value)))
            kind = "application/x-www-form-urlencoded"
        if not self._has_kind():
            headers["Content-Type"] = kind
        return session.request(self.method, url, headers=headers, data=body.encode())

    def _has_kind(self) -> bool:
        return any(name.lower() == "content-type" for name, _ in self.headers)

    def _files(self) -> list[tuple[str, tuple[str, bytes, str]]]:
        kinds = [mimetypes.guess_type(upload.name)[0] or "application/octet-stream" for upload in self.uploads]
        return [
            (upload.field, (upload.name, upload.content, kind))
            for upload, kind in zip(self.uploads, kinds, strict=True)
        ]


def parse_requests(texts: Sequence[str]) -> list[RequestTemplate]:
    """The requests that the texts spell; see the module.

    Raises:
        UsageError: a text is not spelt so, a file cannot be read, or the first one needs what nothing before it gives.
    """
    templates = [_parse(text) for text in texts]
    needed = [name for template in templates[:1] for name in template.names if name not in FRESH]
    if needed:
        raise UsageError(f"{texts[0]!r} needs {{{needed[0]}}}, but no request before it answers anything.")
    return templates


def _parse(text: str) -> RequestTemplate:
    match = _SYNTAX.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no request: give it as {_HELP}.")
    method, path, rest = match[1], match[2], match[3] or ""
    headers: list[tuple[str, str]] = []
    uploads: list[Upload] = []
    until, expected = None, SUCCESS
    while option := _OPTION.match(rest):
        rest = rest[option.end() :]
        kind, value = option[1], _QUOTED.sub(lambda quoted: quoted[1] or quoted[2] or "", option[2])
        if kind == "header":
            headers.append(_header(text, value))
        elif kind == "file":
            uploads.append(_upload(text, value))
        elif kind == "until":
            until = _until(text, value)
        else:
            expected = _expected(text, value)
    body = _BODY.fullmatch(rest)
    if rest and body is None:
        raise UsageError(f"{text!r} is no request{_meant(rest)}: give it as {_HELP}.")
    body_kind, content = (body[1], body[2]) if body else ("", "")
    _check_body(text, body_kind, content, uploads)
    return RequestTemplate(method.upper(), path, body_kind, content, tuple(headers), tuple(uploads), until, expected)


def _header(text: str, value: str) -> tuple[str, str]:
    name, colon, content = value.partition(":")
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~\w-]+", name) or "\n" in content:
        raise UsageError(f"{text!r} has no header in {value!r}: give it as header=NAME:VALUE, in quotes for spaces.")
    return name, content.strip()


def _upload(text: str, value: str) -> Upload:
    name, at, path = value.rpartition("@")
    if not at or not path:
        raise UsageError(f"{text!r} names no file in {value!r}: give it as file=FIELD@PATH.")
    try:
        return Upload(name or "file", Path(path).name, Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"{path}, which {text!r} uploads, cannot be read ({error.strerror}).") from None


def _until(text: str, value: str) -> Until:
    if re.fullmatch(r"\d{3}", value):
        return Until("", (value,))
    name, _, wanted = value.partition("=")
    if not re.fullmatch(r"\w+(\.\w+)*", name) or not all(wanted.split("|")):
        raise UsageError(f"{text!r} waits for nothing: give it as until=FIELD=VALUE, such as until=status=DONE.")
    return Until(name, tuple(wanted.split("|")))


def _expected(text: str, value: str) -> Expected:
    try:
        return Expected.of(value)
    except ValueError:
        raise UsageError(
            f"{text!r} expects no status in {value!r}: give it as expect=422, expect=4xx or expect=2xx|404."
        ) from None


def _meant(rest: str) -> str:
    """Which option may be meant by what is none."""
    misspelt = _MISSPELT.match(rest)
    meant = closest(misspelt[1].lower(), _KNOWN, alike=_ALIKE) if misspelt else None
    if misspelt is None or meant is None:
        return ""
    if meant == misspelt[1]:
        return f" ({meant}= has nothing behind it, or a quote in it is not closed)"
    return f" ({misspelt[1]!r} is no option; did you mean {meant!r}?)"


def _check_body(text: str, kind: str, body: str, uploads: list[Upload]) -> None:
    if kind == "json" and uploads:
        raise UsageError(f"{text!r} has files and a JSON body: give the other fields of the form as data=a=1&b=2.")
    if kind == "json":
        try:
            json.loads(NAME.sub("0", body))
        except ValueError as error:
            raise UsageError(f"The body of {text!r} is no JSON ({error}).") from None


class _Failed(Exception):  # noqa: N818 - an end, not an error
    """The job has failed, for the reason given, at this answer, and its user rests for some seconds."""

    def __init__(self, why: str, pause_s: float, answer: requests.Response | None = None) -> None:
        super().__init__(why)
        self.pause_s = pause_s
        self.answer = None if answer is None else answer_of(answer)


class RequestsJourney:
    """The requests in their order, once, as one job; it ends at the first that fails.

    Args:
        templates: the requests.
        samples: where the one check of each iteration is counted.
        cut: set when the run is stopped at once.
    """

    def __init__(self, templates: Sequence[RequestTemplate], samples: Samples, cut: threading.Event) -> None:
        self._templates = templates
        self._samples = samples
        self._cut = cut

    def __call__(self, session: requests.Session, base_url: str) -> Outcome:
        """Run one iteration.

        Raises:
            CutShortError: the run was stopped meanwhile.
        """
        known = Known()
        try:
            for template in self._templates:
                known.learn(self._await(template, session, base_url, known))
        except _Failed as failure:
            self._samples.check(CHECK, ok=False, why=str(failure), answer=failure.answer)
            return Outcome(ok=False, pause_s=failure.pause_s)
        self._samples.check(CHECK, ok=True, why="")
        return Outcome(ok=True)

    def _await(
        self, template: RequestTemplate, session: requests.Session, base_url: str, known: Known
    ) -> dict[str, Any]:
        """The fields of the answer, once it says what it has to say."""
        deadline, pause_s = time.monotonic() + POLL_WITHIN_S, _FIRST_POLL_S
        while True:
            answer = self._ask(template, session, base_url, known)
            fields = _fields(answer)
            said = _said(template, answer, fields)
            if template.until is None or said in template.until.values:
                return fields
            if time.monotonic() > deadline:
                why = f"{template} {template.until} said {said!r} for {POLL_WITHIN_S:.0f} s"
                raise _Failed(why, _REFUSED_PAUSE_S, answer)
            self._cut.wait(pause_s)
            pause_s = min(1.5 * pause_s, _LAST_POLL_S)

    def _ask(
        self, template: RequestTemplate, session: requests.Session, base_url: str, known: Known
    ) -> requests.Response:
        if self._cut.is_set():
            raise CutShortError
        adapter = session.get_adapter(base_url)
        if isinstance(adapter, TimedAdapter):
            adapter.expected = template.expected
        try:
            answer = template.send(session, base_url, known)
        except KeyError as error:
            why = f"{template} needs {{{error.args[0]}}}, which no JSON answer before it has"
            raise _Failed(f"{why} (keys there were: {known.names()})", _REFUSED_PAUSE_S) from None
        except requests.RequestException as error:
            if self._cut.is_set():
                raise CutShortError from error
            raise _Failed(f"{template} got no answer ({error_kind(error)})", FAILURE_PAUSE_S) from error
        refusal = template.refusal(answer.status_code)
        if refusal is not None:
            raise _Failed(refusal, _REFUSED_PAUSE_S, answer)
        return answer


def _said(template: RequestTemplate, answer: requests.Response, fields: dict[str, Any]) -> str:
    """What is waited for in an answer, as it stands there."""
    if template.until is None:
        return ""
    if not template.until.field:
        return str(answer.status_code)
    try:
        return plain(field(fields, template.until.field))
    except KeyError:
        keys = ", ".join(sorted(fields)[:20]) or "none"
        why = f"{template} {template.until}: the answer has no {template.until.field!r} (keys there were: {keys})"
        raise _Failed(why, _REFUSED_PAUSE_S, answer) from None


def _fields(answer: requests.Response) -> dict[str, Any]:
    """The fields of a JSON object; nothing for any other answer."""
    if "json" not in answer.headers.get("Content-Type", ""):
        return {}
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
