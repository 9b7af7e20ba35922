"""What the scripts measured: results/NAME.json for each script NAME.py, from which tables.py renders the page.

A file holds a dict: a part of what the script measures (an arm, an experiment, a notebook) -> its rows. A row holds raw numbers, and
where they come from: ``machine``, and ``shared`` where other programs ran at the same time.
"""

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from vaelib import describe_device, pick_device
from vaelib.outside.files import check_writable, written_whole

FOLDER = Path(__file__).resolve().parent / "results"
Parts = dict[str, tuple[Callable[[torch.device], list[dict]], Callable[[list[dict]], str]]]


def _writable(path: str) -> Path:
    try:
        check_writable(path)
    except OSError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return Path(path)


def parser(name: str, doc: str, parts: Iterable[str] = ()) -> argparse.ArgumentParser:
    """For the script ``name``, with the options that all have; and ``--only``, if parts are given."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if parts := list(parts):
        parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="some of the parts")
    parser.add_argument(
        "--keep", nargs="?", type=_writable, const=str(FOLDER / f"{name}.json"), metavar="FILE",
        help=f"keep the figures: in benchmarks/results/{name}.json, or in FILE. Of parts not measured now, those that are there stay",
    )  # fmt: skip
    parser.add_argument("--shared", action="store_true", help="note that other programs ran at the same time")
    return parser


def read(path: Path) -> dict[str, list[dict]]:
    return json.loads(path.read_text(encoding="utf-8"))


def write(path: Path, content) -> None:
    with written_whole(path) as file:
        file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def kept(path: Path, make: Callable[[], dict]) -> dict:
    """What is in ``path``, which ``make`` provides the first time."""
    if not path.exists():
        write(path, make())
    return read(path)


def keep(asked: argparse.Namespace, device, found: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """The rows, with the machine; into the file that ``--keep`` names, if it does."""
    stamp = {"machine": describe_device(device)} | ({"shared": True} if asked.shared else {})
    found = {part: [stamp | row for row in rows] for part, rows in found.items()}
    if asked.keep:
        write(asked.keep, (read(asked.keep) if asked.keep.exists() else {}) | found)
    return found


def measure(name: str, doc: str, parts: Parts) -> None:
    """The whole of a script without options of its own: measure each part, print its table, keep its rows."""
    asked, device, found = parser(name, doc).parse_args(), pick_device(), {}
    for part, (measured, table) in parts.items():
        found |= keep(asked, device, {part: measured(device)})
        print(table(found[part]) + "\n", flush=True)
    print(where(found))


def tables(parts: Parts, found: dict[str, list[dict]]) -> str:
    return "\n\n".join(table(found[part]) for part, (_, table) in parts.items())


def rows(found: dict[str, list[dict]]) -> list[dict]:
    return [row for part in found.values() for row in part]


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table(columns: Iterable[str], lines: Iterable[str]) -> str:
    """In Markdown; each line is one of ``line``."""
    columns = list(columns)
    return "\n".join([line(*columns), f"|{'---|' * len(columns)}", *lines])


def where(found: dict[str, list[dict]]) -> str:
    """The line below a table: on which images, on which machine."""
    names = list(dict.fromkeys(row["data"] for row in rows(found) if "data" in row))
    machines = list(dict.fromkeys(row["machine"] for row in rows(found)))
    shared = "; other programs ran at the same time" if any(row.get("shared") for row in rows(found)) else ""
    return f"*Measured on {'; '.join([*filter(None, [', '.join(names)]), *machines])}{shared}.*"


def called(images: str) -> str:
    """The name of an image set, without where a folder lies on this machine."""
    kind, colon, path = images.partition(":")
    return kind + colon + Path(path).name
