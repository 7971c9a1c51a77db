"""The write-up's Markdown as HTML: tables that scroll by themselves, identifiers that may wrap."""

import html
import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

# Where an identifier, a path or a chain may go on in the next line: behind a dot, a slash, a colon or an underscore
# that joins two words; not within a number, behind a finding's notebook, or behind the leading underscores of a name.
_SEAM = re.compile(r"(?<=[^\W_])(?:(?<!\b\d\d)[./:](?=[^\W\d])|_(?=[^\W_]))")
_IDENTIFIER = re.compile(r"\w+_\w+")


def html_of(text: str, *, label: str) -> str:
    """Markdown as HTML without raw HTML in it.

    Args:
        text: CommonMark with tables.
        label: the id of the heading that names its tables.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = list(_shaped(markdown.parse(text), label))
    return str(markdown.renderer.render(tokens, markdown.options, {}))


def wrappable(text: str) -> str:
    """Text as HTML, its identifiers with a place to wrap at each seam."""
    return _SEAM.sub(r"\g<0><wbr>", html.escape(text))


def _shaped(tokens: Sequence[Token], label: str) -> Iterator[Token]:
    """The tokens of a page whose wide parts scroll by themselves, by the keyboard, too."""
    for at, token in enumerate(tokens):
        match token.type:
            case "table_open":
                yield _raw(f'<div class="table" role="region" tabindex="0" aria-labelledby="{label}">')
                token.attrSet("class", f"columns-{_columns(tokens[at:])}")
            case "th_open":
                token.attrSet("scope", "col")
            case "inline":
                token.children = [_wrapping(child) for child in token.children or ()]
        yield _listing(token) if token.type == "fence" else token
        if token.type == "table_close":
            yield _raw("</div>\n")


def _columns(tokens: Sequence[Token]) -> int:
    kinds = [token.type for token in tokens]
    return kinds[: kinds.index("thead_close")].count("th_open")


def _listing(token: Token) -> Token:
    return _raw(f'<pre tabindex="0"><code>{html.escape(token.content)}</code></pre>\n')


def _wrapping(token: Token) -> Token:
    if token.type == "code_inline":
        return _raw(f"<code>{wrappable(token.content)}</code>", "html_inline")
    if token.type == "text":
        words = _IDENTIFIER.sub(lambda found: _SEAM.sub(r"\g<0><wbr>", found[0]), html.escape(token.content))
        return _raw(words, "html_inline")
    return token


def _raw(content: str, kind: str = "html_block") -> Token:
    return Token(kind, "", 0, content=content)
