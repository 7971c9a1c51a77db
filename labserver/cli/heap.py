"""``labserver heap``: heaps to keep, to look at without their process, and to compare."""

from pathlib import Path

import click

from labserver.cli._check_options import attach_options

_FILE = click.Path(path_type=Path, dir_okay=False)
_HEAP = click.Path(path_type=Path)


@click.group()
def heap() -> None:
    """Keep the heap of a process as a file, show it, and compare several.

    Exit: 0 done, 2 usage or a file that is none, 3 the process or its heap cannot be had, 130 interrupted.
    """


@heap.command("save")
@click.argument("target")
@click.option("-o", "--output", "output", required=True, type=_FILE, metavar="FILE", help="The file to write.")
@click.option("--with-names", is_flag=True, help="Keep keys and strings, too, shortened; never bytes.")
@click.option("--force", is_flag=True, help="Write a file anew that is there already.")
@attach_options("attach_timeout")
def save(*, target: str, output: Path, with_names: bool, force: bool, attach_timeout: float) -> None:
    """Write the heap of TARGET to FILE: types, sizes and references of all its objects, and none of their contents.

    TARGET is http://127.0.0.1:PORT or pid:N, a process that runs already, best with labserver.listen() in it; or
    module:attribute, an application that is started, saved and ended.
    """
    from labserver.amounts import number, size
    from labserver.cli import _heap_save
    from labserver.text import one_line

    saved = _heap_save.save(target, output, with_names=with_names, force=force, attach_s=attach_timeout)
    each = saved.file_bytes / max(saved.objects, 1)
    print(
        f"{output}: {number(saved.objects)} objects of {size(saved.bytes)} and {number(saved.references)} references, "
        f"in {size(saved.file_bytes)}: {each:.1f} an object."
    )
    for note in saved.notes:
        print(one_line(note))


@heap.command("show")
@click.argument("file", type=_HEAP)
@click.option("--path", "name", metavar="NAME", help="All shortest paths to objects of a type, or to what is so named.")
@click.option("--most", default=12, show_default=True, type=click.IntRange(min=1), help="Rows of each table.")
@click.option("--html", "html_file", type=_FILE, help="Write a page to click into there, which fetches nothing.")
def show(*, file: Path, name: str | None, most: int, html_file: Path | None) -> None:
    """Show what the heap in FILE consists of, and who holds it."""
    from rich.console import Console

    from labserver.cli._files import write
    from labserver.files import require_writable
    from labserver.heap.file import HeapFile
    from labserver.report.heap.page import page_of
    from labserver.report.heap.printing import print_page
    from labserver.report.heap.terminal import paths_page, show_page

    require_writable(html_file)
    kept = HeapFile(file)
    page = paths_page(kept, name, most) if name is not None else show_page(kept, most)
    print_page(page, Console())
    write(html_file, lambda: page_of(kept))


@heap.command("compare")
@click.argument("old", type=_HEAP)
@click.argument("new", type=_HEAP)
@click.argument("newer", type=_HEAP, required=False)
@click.option("--most", default=12, show_default=True, type=click.IntRange(min=1), help="Holders to show.")
def compare(*, old: Path, new: Path, newer: Path | None, most: int) -> None:
    """Say what came, went and stayed from the heap in OLD to that in NEW, by holder and type.

    With a third file NEWER: what came between the first two and is still there in the third. OLD and NEW may also be
    results of two checks, as --json wrote them.
    """
    from rich.console import Console

    from labserver.report.heap.comparing import comparison_page
    from labserver.report.heap.printing import print_page

    print_page(comparison_page(old, new, newer, most), Console())
