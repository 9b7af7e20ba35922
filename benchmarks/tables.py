"""Render the tables of measured figures from their results files: into README.md beside this file, and the course's into the project's.

    python benchmarks/tables.py              # or: make tables

A table stands between <!-- NAME --> and <!-- /NAME -->, for a script NAME.py that measures it, with results in results/NAME.json.
"""

import sys
from pathlib import Path

import cifar10
import course
import explorers
import gradients
import likelihood
import mnist
import pictures
import pixels
import quantizer
import results
import sampling
import training

from vaelib.outside.files import written_whole

HERE = Path(__file__).resolve().parent
SCRIPTS = (mnist, pixels, cifar10, pictures, sampling, training, gradients, likelihood, quantizer, explorers)
PAGES = {HERE / "README.md": ("short", *(s.__name__ for s in SCRIPTS)), HERE.parent / "README.md": ("course",)}


def results_of(script) -> dict[str, list[dict]]:
    return results.read(results.FOLDER / f"{script.__name__}.json")


def in_short() -> str:
    """The best that was measured, beside what it may be compared with."""
    vae = min(results.rows(results_of(mnist)), key=lambda row: row["nll"])
    pixel = min(results_of(pixels)["binary-gated"], key=lambda row: row["nll"])
    speed = results_of(sampling)["sampling"][0]
    cached, loop = speed["ms"]["cached"], speed["pixels"] * speed["ms"]["own pass"]
    lines = []
    for model, row, (published, value) in (
        ("A VAE, binary MNIST", vae, mnist.PUBLISHED[2]),
        ("A gated PixelCNN, binary MNIST", pixel, pixels.PUBLISHED[0]),
    ):
        after = f"after {row['minutes']:.0f} minutes ({row['machine']})"
        lines.append(f"- {model}: **{row['nll'][0]:.2f} nats** a test image {after}; {published}: {value}.")
    lines.append(
        f"- Sampling 16 images ({speed['network']}): **{cached / 1e3:.2f} s**; with a pass of the network for each pixel "
        f"{loop / 1e3:.0f} s, {loop / cached:.0f} times as long."
    )
    return "\n".join(lines)


def block(name: str) -> str:
    """What stands between the marks."""
    if name == "short":
        return in_short()
    script = course if name == "course" else next(script for script in SCRIPTS if script.__name__ == name)
    found = results_of(script)
    return f"{script.tables(found)}\n\n{results.where(found)}"


def rendered(page: str, name: str) -> str:
    """The page with this block as its results file has it.

    Raises:
        FileNotFoundError: there is no results file.
        LookupError: there is no such block on the page.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    if not (begins and ends):
        raise LookupError(f"there is no {begin} with its {end}")
    return f"{before}{begin}\n\n{block(name)}\n\n{end}{after}"


def main() -> int:
    missing = 0
    for path, names in PAGES.items():
        page = path.read_text(encoding="utf-8")
        for name in names:
            try:
                page = rendered(page, name)
            except (FileNotFoundError, LookupError) as error:
                missing += 1
                why = f"there is no {Path(error.filename).name}" if isinstance(error, OSError) else error.args[0]
                print(f"{path.relative_to(HERE.parent)}, {name} stays as it is: {why}.")
        with written_whole(path) as file:
            file.write(page.encode())
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
