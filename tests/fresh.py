"""Processes of their own for tests: real ones, that can be killed and stopped, without the seconds that loading PyTorch takes."""

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

# To import PyTorch and torchvision takes seconds. On Linux one process does it, and the others are forked from that one.
FORKED = sys.platform == "linux"
PROCESSES = multiprocessing.get_context("forkserver" if FORKED else "spawn")
if FORKED:
    PROCESSES.set_forkserver_preload(["torchvision", "pytest"])

BEGIN = """
import os, signal, sys
for number, place in ((1, out), (2, err)):
    os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite started with & inherits that Ctrl-C is ignored
"""


class Fresh:
    """Python source text that runs, with these variables, in a process of its own."""

    def __init__(self, source, **variables):
        self.folder = tempfile.TemporaryDirectory()
        self.streams = [Path(self.folder.name) / name for name in ("out", "err")]
        out, err = (str(path) for path in self.streams)
        arguments = (BEGIN + source, {"__name__": "fresh", "out": out, "err": err, **variables})
        self.process = PROCESSES.Process(target=exec, args=arguments, daemon=True)
        self.process.start()

    def kill(self, how):
        if self.process.is_alive():
            os.kill(self.process.pid, how)

    def finish(self):
        """Its exit code, which is -9 after signal 9, and the texts of standard output and standard error."""
        self.process.join(120)
        assert self.process.exitcode is not None, "it does not end"
        with self.folder:
            return self.process.exitcode, *(path.read_text() for path in self.streams)
