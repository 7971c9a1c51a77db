"""What to check and how, and how far a check is.

Every option stands here, once: the command line, the magics, `leak_check` and the pytest plugin take its name, its
default and its help from the fields below.
"""

import inspect
from collections.abc import Callable
from dataclasses import KW_ONLY, Field, dataclass, field, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from labserver.errors import UsageError

if TYPE_CHECKING:
    from labserver.stats.interval import Interval

DURATION = "DURATION"
"""What options that are seconds ask for where they are written as text: see `labserver.durations`."""
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def _option(default: Any, help_text: str, *, metavar: str | None = None) -> Any:
    return field(default=default, metadata={"help": help_text, "metavar": metavar})


# No slots here: `CheckOptions` has both classes' fields, and two classes with slots of their own cannot be joined.
@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """What is measured, and when it is enough.

    Attributes:
        max_jobs: measured jobs after which an undecided check ends; a warm-up goes before them.
        max_seconds: seconds after which it ends.
        tolerance: bytes per job below which growth is of no interest.
        confidence: of the interval.
        settle: seconds to wait before each floor: the longest time a result may rightly live.
        fast: fewer jobs, for a coarser answer.
        challenge: entries that a suspected holder may gain while it gets the chance to show a bound, or to let go.
        challenge_seconds: seconds that it gets for them; twice as many where something that runs can let go of them.
        budget: bytes that the service may take; None for the limit of its control group, or of the machine.
        stall_ms: for how long a look at the heap may hold the application up where it can be taken in no forked child;
            if not given, a second for an application that the check starts, and 0 for one that runs already. Under a
            service's own traffic it is for how long any look may, a fork included; 20 if not given.
    """

    max_jobs: int = _option(4000, "Measured jobs, warm-up left out.")
    max_seconds: float = _option(300.0, "Until an undecided check ends.", metavar=DURATION)
    tolerance: float = _option(256.0, "Growth per job that is allowed.", metavar="BYTES")
    confidence: float = _option(0.99, "Of the interval.")
    settle: float = _option(0.0, "Wait before a floor: a result's longest life.", metavar=DURATION)
    fast: bool = _option(default=False, help_text="Half the jobs, a fifth of a challenge, tolerance at least 512.")
    challenge: int = _option(
        25_000, "Entries that a suspected holder may gain to show a bound before it is called a leak; 0 for none."
    )
    challenge_seconds: float = _option(45.0, "The time that it gets for them.", metavar=DURATION)
    budget: int | None = _option(
        None,
        "Memory that the service may take: a bound beyond it is none. If not given, that of its control group, or of "
        "the machine.",
        metavar="BYTES",
    )
    stall_ms: float | None = _option(
        None,
        "How long a look at the heap may hold up an application of which no forked child lives; 1000 for one that the "
        "check starts, else 0; with --observe how long any look may, 20.",
        metavar="MS",
    )

    def validate(self) -> None:
        """Look at everything that can be wrong before anything is started.

        Raises:
            UsageError: an option makes no sense; the sentence says which.
        """
        _require_numbers(self, ("max_seconds", "tolerance", "confidence", "settle", "challenge_seconds"), Real)
        _require_numbers(self, ("max_jobs", "challenge"), Integral)
        if not 0.5 <= self.confidence < 1:
            raise UsageError(f"confidence is {self.confidence}: it must be from 0.5 to below 1, such as 0.99.")
        _require_positive(self, ("tolerance", "max_seconds", "max_jobs"))
        if self.budget is not None:
            _require_numbers(self, ("budget",), Integral)
            _require_positive(self, ("budget",))
        for name in ("challenge", "challenge_seconds"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UsageError(f"{name} is {getattr(self, name)}: it must be 0 or more.")
        if not 0 <= self.settle < self.max_seconds:
            raise UsageError(f"settle is {self.settle}: it must be 0 or more seconds, and less than max_seconds.")


class MeasureKeywords(TypedDict, total=False):
    """The same as keywords, for whoever passes them on."""

    max_jobs: int
    max_seconds: float
    tolerance: float
    confidence: float
    settle: float
    fast: bool
    challenge: int
    challenge_seconds: float
    budget: int | None
    stall_ms: float | None


@dataclass(frozen=True)
class LoadOptions:
    """What is driven, and with what.

    Attributes:
        target: `module:attribute`, `http://host:port` or `pid:N`; empty where there is a command.
        requests: one job, request by request.
        journey: one job, as `module:callable`, in place of requests.
        users: jobs under way at the same time.
        command: the line that starts the server, in place of a target; `{port}` in it stands for a free port.
        ready_path: what such a server answers, with less than 400, when it is ready.
    """

    target: str = ""
    requests: tuple[str, ...] = _option((), "A request; all of them in turn are one job.", metavar="'METHOD /PATH'")
    _: KW_ONLY
    journey: str | None = _option(
        None, "Called as callable(session, base_url) for each job.", metavar="MODULE:CALLABLE"
    )
    users: int = _option(5, "Jobs at the same time.")
    command: str | None = _option(
        None, "Start a server by its own command line, in place of TARGET; {port} in it is a free port.", metavar="LINE"
    )
    ready_path: str | None = _option(
        None, "With --command, what answers when it is ready; if not given, a connection is enough.", metavar="PATH"
    )

    def validate(self) -> None:
        """Look at what can be wrong before anything is started, as `MeasureOptions.validate` does."""
        from labserver.load.templates import parse_requests  # noqa: PLC0415 - `--help` needs the options alone

        self._validate_target()
        if bool(self.requests) == (self.journey is not None):
            raise UsageError("Say what a job is: --request 'GET /path' (repeatable) or --journey module:callable.")
        parse_requests(self.requests)
        if self.journey is not None:
            module, _, name = self.journey.partition(":")
            if not all(part.isidentifier() for part in [*module.split("."), name]):
                raise UsageError(f"{self.journey!r} is no journey: give it as module:callable.")
        _require_numbers(self, ("users",), Integral)
        _require_positive(self, ("users",))

    def _validate_target(self) -> None:
        from labserver.targets.server.command_line import CommandLine  # noqa: PLC0415 - as above
        from labserver.targets.target import parse_target  # noqa: PLC0415 - as above

        if self.command is None:
            if not self.target:
                raise UsageError(
                    "Say what to check: TARGET, such as shop.app:create_app, or --command 'gunicorn shop.app:app -b "
                    "127.0.0.1:{port}'."
                )
            parse_target(self.target)
            if self.ready_path is not None:
                raise UsageError("--ready-path goes with --command.")
            return
        if self.target:
            raise UsageError(f"--command starts what is checked: leave {self.target} out, or --command.")
        CommandLine.parse(self.command)
        if self.ready_path is not None and not self.ready_path.startswith("/"):
            raise UsageError(f"ready_path is {self.ready_path!r}: it must be a path, such as /health.")

    @property
    def name(self) -> str:
        """What the answer calls the target: the command line is its own name."""
        return self.target if self.command is None else self.command


@dataclass(frozen=True, kw_only=True)
class AttachOptions:
    """How the agent gets into what runs already and has none.

    Attributes:
        no_attach: put none into it: its memory is read from outside.
        attach_timeout: seconds that its main thread gets to let the agent in.
    """

    no_attach: bool = _option(
        default=False, help_text="Put no agent into what runs already; read its memory from outside."
    )
    attach_timeout: float = _option(10.0, "How long its main thread gets to let the agent in.", metavar=DURATION)

    @property
    def attach_s(self) -> float | None:
        """Seconds to let the agent in; None to put none into it."""
        return None if self.no_attach else self.attach_timeout

    def validate(self) -> None:
        """Look at what can be wrong before anything is started, as `MeasureOptions.validate` does."""
        _require_numbers(self, ("attach_timeout",), Real)
        _require_positive(self, ("attach_timeout",))


@dataclass(frozen=True, kw_only=True)
class ObserveOptions:
    """How a service is observed under its own traffic, in place of a load.

    Attributes:
        observe: seconds of it; None to make a load.
        every: seconds from one look to the next; None for what the looks allow that cost little.
        sites: whether the lines that allocate what stays are looked for, in a short window under tracing.
    """

    observe: float | None = _option(None, "Make no load: watch the service's own traffic so long.", metavar=DURATION)
    every: float | None = _option(
        None, "From one look to the next; if not given, so that looks take 3 % of a core at most.", metavar=DURATION
    )
    sites: bool = _option(default=False, help_text="Trace for some seconds at the end, for the allocating lines.")


@dataclass(frozen=True)
class CheckOptions(ObserveOptions, MeasureOptions, AttachOptions, LoadOptions):
    """All, for the check of a target: `CheckOptions("shop.app:app", ("GET /",), max_jobs=500)`."""

    def validate(self) -> None:
        """Look at all options before anything is started, as `MeasureOptions.validate` does."""
        if self.observe is None:
            LoadOptions.validate(self)
            if self.every is not None or self.sites:
                raise UsageError(f"--{'every' if self.every is not None else 'sites'} goes with --observe.")
        else:
            self._validate_observation()
        AttachOptions.validate(self)
        MeasureOptions.validate(self)

    def _validate_observation(self) -> None:
        from labserver.targets.target import parse_target  # noqa: PLC0415 - as above

        if self.command is not None or parse_target(self.target).application is not None:
            raise UsageError(
                f"{self.name} has no traffic of its own: give a service that runs, as http://127.0.0.1:PORT or pid:N."
            )
        if self.requests or self.journey is not None:
            raise UsageError("--observe makes no load: leave --request and --journey out.")
        for name in ("observe",) if self.every is None else ("observe", "every"):
            _require_numbers(self, (name,), Real)
            _require_positive(self, (name,))
        if self.every is not None and self.observe is not None and self.every >= self.observe:
            raise UsageError(f"every is {self.every:g}: it must be less than observe, which is {self.observe:g} s.")


def options_of(*kinds: type[LoadOptions | AttachOptions | ObserveOptions | MeasureOptions]) -> list[Field[Any]]:
    """The options in their order, `target` left out: with `help` and `metavar` in each field's metadata."""
    return [one for kind in kinds for one in fields(kind) if one.metadata]


def spells_out_options(function: FunctionT) -> FunctionT:
    """Let `help()`, editors and `inspect.signature` show the options in place of `**options`."""
    signature = inspect.signature(function)
    given = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    options = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=one.type)
        for one in options_of(MeasureOptions)
    ]
    function.__signature__ = signature.replace(parameters=[*given, *options])  # type: ignore[attr-defined]
    return function


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """How far a check is: what it does, measured jobs, seconds since its start, and what it knows so far."""

    phase: str
    jobs: int
    seconds: float
    interval: "Interval | None" = None


OnProgress = Callable[[CheckProgress], None]


def _require_numbers(options: object, names: tuple[str, ...], kind: type) -> None:
    for name in names:
        value = getattr(options, name)
        if not isinstance(value, kind):
            raise UsageError(f"{name} is {value!r}: it must be a {'whole ' * (kind is Integral)}number.")


def _require_positive(options: object, names: tuple[str, ...]) -> None:
    for name in names:
        if not 0 < getattr(options, name) < float("inf"):
            raise UsageError(f"{name} is {getattr(options, name)}: it must be more than 0.")
