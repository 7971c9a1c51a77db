"""The same chain in Graphviz' language, and drawn by it where it is installed."""

import json
import shutil
import subprocess
from pathlib import Path

from labserver.heap.chain import Chain


def to_dot(chain: Chain) -> str:
    """A chain as a directed graph, from the root down."""
    lines = ["digraph chain {", "  node [shape=box, style=rounded, fontname=sans];", "  edge [fontname=monospace];"]
    for number, link in enumerate(chain.links):
        lines.append(f"  n{number} [label={_quoted(link.title)}];")
        if number:
            lines.append(f"  n{number - 1} -> n{number} [label={_quoted(link.words)}];")
    return "\n".join([*lines, "}", ""])


def save_dot(chain: Chain, run_dir: Path, name: str) -> list[str]:
    """Write a chain as `figures/NAME.dot`, and as `figures/NAME_dot.svg` where Graphviz' `dot` is there.

    objgraph's own pictures are silently not written without `dot`; the source can still be read and drawn elsewhere.

    Returns:
        The files written, relative to the run directory.
    """
    source = run_dir / "figures" / f"{name}.dot"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(to_dot(chain), encoding="utf-8")
    written = [source]
    if (program := shutil.which("dot")) is not None:
        picture = source.with_name(f"{name}_dot.svg")
        subprocess.run([program, "-Tsvg", "-o", picture, source], check=True, timeout=60)  # noqa: S603 - our own file
        written.append(picture)
    return [path.relative_to(run_dir).as_posix() for path in written]


def _quoted(text: str) -> str:
    """A DOT string: quotes and backslashes are escaped as in JSON, the rest is UTF-8."""
    return json.dumps(text, ensure_ascii=False)
