"""What is usually done about a holder or a finding, for whoever has to mend it, by the catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass

from labserver.diagnosis.holders.hint_catalogue import Entry, hint_catalogue
from labserver.heap.chain import Link

_IMMUTABLE = ("tuple", "frozenset")


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


def hint_for_holder(  # noqa: PLR0913 - each is something that is known of the holder, all but two by keyword
    holder_type: str,
    chain: Sequence[Link],
    *,
    holder_at: int | None = None,
    item_type: str | None = None,
    items: int = 0,
    entries: int = 0,
    bound: int | None = None,
) -> Hint:
    """The usual remedy: by where the holder hangs, else by its type; and by what it keeps.

    A holder whose entries stay as many, while each of them gets more, is mended where that happens.

    Args:
        holder_type: the type of the last object on the way to all that came.
        chain: the path as data, the root first.
        holder_at: which of its links the holder is; None where nobody told.
        item_type: the type of what came with the jobs; None where nobody told.
        items: how many of these came.
        entries: the number of entries that the holder has; where it has no length, of the objects that came.
        bound: the number of entries that the holder declares to keep at most.
    """
    catalogue = hint_catalogue()
    place, kept = catalogue.of_place(chain, holder_at), catalogue.of_items(chain, holder_at)
    growing = _growing(chain, holder_at, item_type)
    if growing is not None and _is_made_whole(growing) and entries >= items:
        growing = None  # each entry came with its item, as the pairs that a queue keeps
    if growing is None:
        kind = catalogue.of_type(holder_type, _bases(holder_type, chain, holder_at))
    else:
        kind = catalogue.of_type(growing.type, growing.bases)
    if bound is not None:
        said = [place, kept]
        form = catalogue.beyond if entries > bound else catalogue.filling
        texts = [form.format(bound=bound)]
    else:
        said, texts = [place, kept] if place else [kept, kind], []
    known = list(dict.fromkeys(one for one in said if one is not None))  # one may be of the place and of the items
    return _hint("; ".join([*texts, *(one.text for one in known)]), *known)


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


def _growing(chain: Sequence[Link], holder_at: int | None, item_type: str | None) -> Link | None:
    """The container below a holder's entries that the items came to; None where they came to the holder itself."""
    if holder_at is None or item_type is None:
        return None
    below = range(holder_at + 1, len(chain))
    at = next((at for at in below if chain[at].type == item_type), holder_at)
    if at <= holder_at + 1 or not all(_is_entry(chain[one]) for one in (holder_at + 1, at)):
        return None
    return chain[at - 1]


def _is_made_whole(link: Link) -> bool:
    """Whether nothing can come to it later: it gets more only by being replaced."""
    return link.type in _IMMUTABLE or any(f"builtins.{name}" in link.bases for name in _IMMUTABLE)


def _is_entry(link: Link) -> bool:
    return link.edge is not None and link.edge.is_one_of_many


def _bases(holder_type: str, chain: Sequence[Link], holder_at: int | None) -> tuple[str, ...]:
    """The holder's type and its bases, as the chain tells them."""
    if holder_at is None or holder_at >= len(chain) or chain[holder_at].type != holder_type:
        return ()
    return chain[holder_at].bases
