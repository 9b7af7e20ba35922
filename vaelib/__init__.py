"""vaelib: the small library that the course's notebooks build and then use.

The method lies flat in this folder; ``outside`` is where it meets callers, terminals, files and the network; ``classroom`` is what a course
needs around it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaelib.device import budget, describe_device, pick_device, seed_everything, share_cores

__version__ = "0.1.0"
__all__ = ["budget", "describe_device", "pick_device", "seed_everything", "share_cores"]


def __getattr__(name: str):
    """PyTorch is loaded only when one of these names is asked for: ``vaelib.symbolic`` works where there is none."""
    if name not in __all__:
        raise AttributeError(f"module 'vaelib' has no attribute {name!r}")
    from vaelib import device

    return getattr(device, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
