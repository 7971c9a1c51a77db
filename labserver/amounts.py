"""Figures as people read them: whole numbers, bytes, shares and counts, each written in one way everywhere."""

_MINUS = "−"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_HANDIER_FROM = 10 * 1024
_TIMES = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_ROUGH_FROM = 100  # of a unit, from which on the next smaller one says nothing


def number(value: float) -> str:
    """A whole number with separators and a true minus sign."""
    return f"{value:,.0f}".replace("-", _MINUS) if round(value) else "0"


def size(value: float) -> str:
    """Bytes, exact, with a handier figure beside it from 10 KiB on: `48,029,520 B (45.8 MiB)`."""
    unit, name = unit_of(value)
    exact = f"{number(value)} B"
    return f"{exact} ({value / unit:.1f} {name})".replace("-", _MINUS) if abs(value) >= _HANDIER_FROM else exact


def rough_size(value: float) -> str:
    """Bytes in the largest unit that fits: `45.8 MiB`, `200 B`."""
    unit, name = unit_of(value)
    return (f"{number(value)} B" if unit == 1 else f"{value / unit:,.1f} {name}").replace("-", _MINUS)


def unit_of(value: float) -> tuple[int, str]:
    """The largest unit that there is at least one of, in bytes, and its name."""
    power = next((power for power in range(len(_UNITS) - 1, 0, -1) if abs(value) >= 1024**power), 0)
    return 1024**power, _UNITS[power]


def percent(share: float) -> str:
    """A share in per cent; what is not all is never rounded up to it."""
    value = 100 * share
    if 0 < abs(value) < 0.1:
        return f"{_MINUS if value < 0 else ''}<0.1 %"
    shown = 99.9 if 99.9 < value < 100 else value
    return f"{f'{shown:.1f}'.removesuffix('.0')} %".replace("-", _MINUS)


def count(many: float, what: str) -> str:
    """So many of something: `1 holder`, `1,200 items`, `300 entries`."""
    several = f"{what[:-1]}ies" if what.endswith("y") and what[-2] not in "aeiou" else f"{what}s"
    return f"{many:,} {what if many == 1 else several}"


def duration(seconds: float) -> str:
    """A time in its two largest units: `45 s`, `9 min 40 s`, `2 h 5 min`, `3 d 4 h`; below ten seconds with a tenth."""
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    for at, (name, size) in enumerate(_TIMES):
        if whole < size:
            continue
        if at + 1 == len(_TIMES):
            return f"{whole} {name}"
        smaller, part = _TIMES[at + 1]
        # What is rounded may fill up the larger unit.
        many, rest = divmod(round(whole / part), size // part)
        return f"{many:,} {name} {rest} {smaller}" if rest and many < _ROUGH_FROM else f"{many:,} {name}"
    return f"{whole} s"
