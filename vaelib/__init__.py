"""vaelib: the small library that the course's notebooks build and then use."""

from vaelib.device import budget, describe_device, pick_device, seed_everything, share_cores

__version__ = "0.1.0"
__all__ = ["budget", "describe_device", "pick_device", "seed_everything", "share_cores"]
