"""A record of a heap as a file, and back; see `docs/heap_file.md`."""

from collections import defaultdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from labserver.errors import CannotRun, UsageError
from labserver.heap.edge import Edge
from labserver.heap.file.chunks import ChunkWriter, chunks_of, joined
from labserver.heap.file.record import About, CodeLine, Record, ThreadStack, TypeName
from labserver.heap.layout.objects import Indices
from labserver.heap.root import Root

_ADDRESS_STEP = 8  # objects begin at words
_TEXTS = 1 << 14  # in a chunk
_REQUIRED = ("about", "types", "edges", "modules", "roots", "type", "size", "address", "count", "target", "edge")


def write_record(record: Record, file: IO[bytes]) -> None:
    """Write a heap to a file that is open for writing, a piece of a column at a time."""
    writer = ChunkWriter(file)
    writer.json("about", record.about.to_json())
    writer.json("types", [[one.name, one.module] for one in record.type_names])
    writer.json("edges", [one.to_json() for one in record.edges])
    writer.json("modules", record.modules)
    writer.json("roots", [[node, root.to_json()] for node, root in record.roots.items()])
    writer.json("threads", [[one.name, one.lines] for one in record.threads])
    writer.numbers("type", record.types)
    writer.numbers("size", record.sizes)
    writer.numbers("address", record.addresses // _ADDRESS_STEP, differences=True)
    writer.numbers("count", np.diff(record.starts))
    writer.numbers("target", record.targets)
    writer.numbers("edge", record.edge_of)
    writer.numbers("cycle", record.cycles)
    writer.numbers("garbage", record.garbage, differences=True)
    _write_named(writer, "name", record.names)
    _write_named(writer, "file", {node: one.file for node, one in record.lines.items()})
    writer.numbers("line", np.array([one.line for one in record.lines.values()], dtype=np.int64))
    _write_texts(writer, record)
    writer.close()


def read_record(path: Path) -> Record:
    """Read a heap from a file.

    Raises:
        UsageError: there is none, or it is no heap file, a newer version's, damaged, or ends early.
    """
    found: dict[str, list[Any]] = defaultdict(list)
    try:
        with path.open("rb") as file:
            for chunk in chunks_of(file, str(path)):
                found[chunk.name].append(chunk.value)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).") from error
    try:
        return _record(found)
    except (ArithmeticError, AttributeError, CannotRun, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is damaged: its parts do not fit together. Save the heap again.") from error


def _record(found: dict[str, list[Any]]) -> Record:
    values = {name: found[name][0] for name in ("about", "types", "edges", "modules", "roots")}
    counts = joined(found["count"])
    starts = np.zeros(counts.size + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    names, files = _read_named(found, "name"), _read_named(found, "file")
    record = Record(
        about=About.from_json(values["about"]),
        type_names=[TypeName(*one) for one in values["types"]],
        edges=[Edge.from_json(one) for one in values["edges"]],
        types=joined(found["type"]),
        sizes=joined(found["size"]),
        addresses=joined(found["address"]).astype(np.int64) * _ADDRESS_STEP,
        starts=starts,
        targets=joined(found["target"]),
        edge_of=joined(found["edge"]),
        modules=int(values["modules"]),
        roots={int(node): Root.from_json(root) for node, root in values["roots"]},
        cycles=joined(found["cycle"]),
        garbage=joined(found["garbage"]),
        names=names,
        lines={
            node: CodeLine(file, line)
            for (node, file), line in zip(files.items(), joined(found["line"]).tolist(), strict=True)
        },
        threads=[ThreadStack(name, tuple(lines)) for name, lines in found["threads"][0]] if "threads" in found else [],
        texts=dict(zip(joined(found["text node"]).tolist(), _flat(found["text"]), strict=True)),
        checksums=joined(found["text sum"]),
    )
    _require_whole(record)
    return record


def _require_whole(record: Record) -> None:
    """Whether every number stands for something.

    Raises:
        ValueError: one does not.
    """
    n, m = record.types.size, record.targets.size
    lengths = [
        (record.starts, n + 1), (record.sizes, n), (record.addresses, n), (record.edge_of, m),
    ]  # fmt: skip
    limits = [
        (record.targets, n), (record.cycles, n), (record.garbage, n), (_nodes(record.roots), n),
        (_nodes(record.names), n), (_nodes(record.lines), n), (_nodes(record.texts), n),
        (record.types, len(record.type_names)), (record.edge_of, len(record.edges)),
        (np.array([record.modules]), n + 1), (np.diff(record.starts), m + 1), (record.starts[-1:], m + 1),
    ]  # fmt: skip
    fits = all(one.size == length for one, length in lengths) and int(record.starts[-1]) == m
    if not fits or any(one.size and (one.min() < 0 or one.max() >= limit) for one, limit in limits):
        raise ValueError(n)


def _nodes(named: dict[int, Any]) -> Indices:
    return np.fromiter(named, dtype=np.int64, count=len(named))


def _write_named(writer: ChunkWriter, name: str, named: dict[int, str]) -> None:
    """Texts by object, each text once."""
    places: dict[str, int] = {}
    at = [places.setdefault(text, len(places)) for text in named.values()]
    writer.json(f"{name}s", list(places))
    writer.numbers(f"{name} node", _nodes(named), differences=True)
    writer.numbers(f"{name} at", np.array(at, dtype=np.int64))


def _read_named(found: dict[str, list[Any]], name: str) -> dict[int, str]:
    texts = found[f"{name}s"][0] if f"{name}s" in found else []
    nodes, at = joined(found[f"{name} node"]), joined(found[f"{name} at"])
    return {node: texts[place] for node, place in zip(nodes.tolist(), at.tolist(), strict=True)}


def _write_texts(writer: ChunkWriter, record: Record) -> None:
    texts = list(record.texts.values())
    writer.numbers("text node", _nodes(record.texts), differences=True)
    writer.numbers("text sum", record.checksums)
    for first in range(0, len(texts), _TEXTS):
        writer.json("text", texts[first : first + _TEXTS])


def _flat(pieces: list[list[str]]) -> list[str]:
    return [text for piece in pieces for text in piece]
