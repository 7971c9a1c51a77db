"""What is usually done about a holder or a finding, for whoever has to mend it, by the catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass

from labserver.diagnosis.holders.hint_catalogue import Entry, hint_catalogue
from labserver.heap.chain import Link


@dataclass(frozen=True, slots=True)
class Hint:
    """A remedy.

    Attributes:
        text: in a sentence; empty where none is known.
        title: of the documentation or the report that says more; None where none is known.
        known_leak_of: the library of which it is a known leak; None where it is none.
    """

    text: str = ""
    title: str | None = None
    known_leak_of: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        """The remedy as keys of the JSON of a holder or a finding."""
        return {"hint": self.text, "hint_title": self.title, "known_leak_of": self.known_leak_of}


def hint_for_holder(
    holder_type: str,
    chain: Sequence[Link],
    *,
    holder_at: int | None = None,
    came: int = 0,
    bound: int | None = None,
) -> Hint:
    """The usual remedy: by where the holder hangs, else by its type; and by what it keeps.

    Args:
        holder_type: the type of the last object on the way to all that came.
        chain: the path as data, the root first.
        holder_at: which of its links the holder is; None where nobody told.
        came: the number of objects that came.
        bound: the number of entries that the holder declares to keep at most.
    """
    catalogue = hint_catalogue()
    place, items = catalogue.of_place(chain, holder_at), catalogue.of_items(chain, holder_at)
    kind = catalogue.of_type(holder_type, _bases(holder_type, chain, holder_at))
    if bound is not None:
        said = [place, items]
        form = catalogue.beyond if came > bound else catalogue.filling
        texts = [form.format(bound=bound)]
    else:
        said, texts = [place, items] if place else [items, kind], []
    entries = [one for one in said if one is not None]
    return _hint("; ".join([*texts, *(one.text for one in entries)]), *entries)


def hint_for_finding(kind: str, chain: Sequence[Link] = ()) -> Hint:
    """The usual remedy, by the finding's kind and by the objects that it is about; empty for a kind that is not known.

    Args:
        kind: such as `native`.
        chain: the path to one of the objects, the root first, which is one of them; empty where there is none.
    """
    catalogue = hint_catalogue()
    entry, items = catalogue.of_finding(kind), catalogue.of_items(chain, holder_at=-1)
    entries = [one for one in (entry, items) if one is not None]
    return Hint() if entry is None else _hint("; ".join(one.text for one in entries), *entries[::-1])


def _hint(text: str, *entries: Entry) -> Hint:
    """The text, with the title and the library of the first of its entries that has one."""
    title = next((one.title for one in entries if one.title), None)
    return Hint(text, title, next((one.known_leak_of for one in entries if one.known_leak_of), None))


def _bases(holder_type: str, chain: Sequence[Link], holder_at: int | None) -> tuple[str, ...]:
    """The holder's type and its bases, as the chain tells them."""
    if holder_at is None or holder_at >= len(chain) or chain[holder_at].type != holder_type:
        return ()
    return chain[holder_at].bases
