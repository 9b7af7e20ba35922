"""benchmarks/mnist.py, small and on the built-in images: it trains, judges, prints a table, and goes on where it was."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "mnist.py"


def rows(folder, *options):
    fixed = ["--data", "glyphs", "--scale", "0.003", "--images", "60", "--only", "small-elbo", "--folder"]
    command = [sys.executable, str(SCRIPT), *fixed, str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.partition("| network")[2].splitlines() if "784-200-200-50" in line]


def test_the_table_of_likelihoods(tmp_path):
    first = rows(tmp_path, "--samples", "3")
    assert len(first) == 2  # judged at two moments
    checkpoint = tmp_path / "small-elbo" / "checkpoint.pt"
    trained = checkpoint.read_bytes()
    again = rows(tmp_path, "--samples", "40", "--untrained")
    assert checkpoint.read_bytes() == trained
    for old, new in zip(first, again, strict=True):
        minus_elbo, nll = (float(v) for v in re.findall(r"\d+\.\d\d", new)[:2])
        assert nll < minus_elbo
        assert "| 3 |" in old
        assert "| 40 |" in new
    assert rows(tmp_path, "--samples", "3") == again  # nothing is done twice, and most draws count
