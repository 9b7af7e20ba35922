"""Your own images: folders whose sub-folders are labels."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from vaelib.console import say
from vaelib.files import DataError


def read(path: Path, train: bool, size: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """The training or test images of a folder, and their labels, as ``data.load`` has them.

    Raises:
        ValueError: a ``size`` that cannot be.
        DataError: no folder, or no readable image in it.
    """
    if size is not None and size < 1:
        raise ValueError(f"size={size} was given: an image is at least 1 pixel wide.")
    if not path.is_dir():
        raise DataError(f"folder:{path} is not a folder: give one that holds images, or sub-folders of images.")
    split = (path / "train").is_dir() and (path / "test").is_dir()
    labels = sorted(
        p.name for p in (path / "train" if split else path).iterdir() if p.is_dir() and p.name[0] != "."
    ) or [""]

    def files(train: bool) -> list[tuple[Path, int]]:
        base = path / ("train" if train else "test") if split else path
        found = [
            (k, sorted(p for p in (base / label).rglob("*") if p.is_file() and p.name[0] != "."))
            for k, label in enumerate(labels)
        ]
        return [(p, k) for k, ps in found for i, p in enumerate(ps) if split or (i % 10 == 9) != train]

    first = next((image for p, _ in files(True) if (image := _open(p))), None)
    if first is None:
        raise DataError(f"folder:{path} holds no readable image: it needs .png, .jpg or other files that Pillow opens.")
    mode = "L" if first.mode in ("1", "L", "I;16", "I") else "RGB"
    if size is None:
        size = first.width if first.width == first.height <= 64 else 32

    def read(item: tuple[Path, int]) -> np.ndarray | None:
        from PIL import ImageOps

        image = _open(item[0])
        if image is None:
            return None
        return np.asarray(ImageOps.fit(image.convert(mode), (size, size))).reshape(size, size, -1)

    items = files(train)
    with ThreadPoolExecutor() as pool:
        arrays = list(pool.map(read, items))
    good = [(a, k) for a, (_, k) in zip(arrays, items, strict=True) if a is not None]
    bad = [p.name for a, (p, _) in zip(arrays, items, strict=True) if a is None]
    what = "training" if train else "test"
    if not good:
        raise DataError(
            f"folder:{path} holds no readable {what} image among {len(items)} file(s): with fewer than ten files a label, add test/."
        )
    x = torch.from_numpy(np.stack([a for a, _ in good])).permute(0, 3, 1, 2).contiguous()
    y = torch.tensor([k for _, k in good])
    unread = f"; {len(bad)} unreadable: {', '.join(bad[:5])}{' and more' if len(bad) > 5 else ''}" if bad else ""
    say(f"folder:{path.name}: {len(x)} {what} images of {x.shape[1]}x{size}x{size}, {len(labels)} label(s){unread}.")
    return x, y


def _open(path: Path):
    """The decoded image, or None if Pillow cannot read the file."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
            return image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
