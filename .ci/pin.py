"""Print `name==version` for each direct dependency, as installed where this runs: the content of constraints.txt."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
direct = project["dependencies"] + [spec for extra in project["optional-dependencies"].values() for spec in extra]
print("# The versions that were tested together. Made by: make constraints")
for name in sorted({re.split(r"[<>=!~ ]", spec)[0] for spec in direct}):
    print(f"{name}=={version(name).split('+')[0]}")
