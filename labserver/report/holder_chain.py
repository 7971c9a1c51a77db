"""A holder and its chain of references, named as one would write them in code."""

from labserver.amounts import number, rough_size
from labserver.diagnosis.result import NamedHolder
from labserver.heap.chain import Link
from labserver.heap.edge import UNKNOWN


def holder_index(holder: NamedHolder) -> int:
    """Where in its chain the holder itself stands."""
    if holder.holder_at is not None:
        return holder.holder_at
    above = range(max(len(holder.chain) - 2, 0), -1, -1)  # an older version in the service does not tell
    return next((at for at in above if holder.chain[at].type == holder.holder_type), above[0])


def guilty_index(holder: NamedHolder) -> int:
    """The link whose edge is to be cut: what is added with every job, or the holder where the chain ends with it."""
    return min(holder_index(holder) + 1, len(holder.chain) - 1)


def item_index(holder: NamedHolder) -> int | None:
    """The link that is an item, where it is not the end of the chain; None without one."""
    if holder.item_type is None or (holder.items or 0) <= 0:
        return None
    between = range(holder_index(holder) + 1, len(holder.chain) - 1)
    return next((at for at in between if holder.chain[at].type == holder.item_type), None)


def end_of(holder: NamedHolder) -> str:
    """What came, to put behind the name of the chain's last link: of items that end it, only themselves are counted."""
    if holder.items and holder.items > 0 and holder.item_type == holder.chain[-1].type and _ends_with_item(holder):
        return f"× {number(holder.items)}"
    came = f"× {number(holder.buffers)}"
    inside = holder_index(holder) < len(holder.chain) - 1
    # One that is its own holder has itself grown.
    if holder.chain[-1].type == holder.buffer_type and (inside or holder.buffers == 1):
        return came
    return f"with {holder.buffer_type} {came}"


def _ends_with_item(holder: NamedHolder) -> bool:
    return holder_index(holder) == len(holder.chain) - 2


def holder_name(holder: NamedHolder) -> str:
    """The holder as one would write it in code: `shop.STORE._jobs`."""
    if not holder.chain:
        return holder.holder
    return path_name(holder, holder_index(holder))


def held_in_words(holder: NamedHolder) -> str:
    """The whole chain and what came, in short: `threading._active['…'].inbox: 400 × bytes, 2.3 MiB`.

    Not what that holder retains: what threads leave is also held by their frames.
    """
    name = path_name(holder, len(holder.chain) - 1) if holder.chain else holder.path
    return f"{name}: {number(holder.buffers)} × {holder.buffer_type}, {rough_size(holder.growth_bytes)}"


def path_name(holder: NamedHolder, last: int) -> str:
    """The chain up to one of its links, as one would write it in code."""
    name = holder.chain[0].name
    for link in holder.chain[1 : last + 1]:
        name += (link.edge or UNKNOWN).in_code
    return name


def link_name(link: Link, *, root: bool) -> str:
    """What an object of a chain is called: a root or a module by its name, anything else by its type."""
    if link.type == "module":
        return f"module {link.name}"
    return link.name if root else link.type
