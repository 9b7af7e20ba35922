"""Images: the built-in sets, the real ones, your own folder; minibatches; and the download command.

    python -m vaelib.data download mnist fashion-mnist cifar10

Real sets live in the folder that the environment variable ``VAELIB_DATA`` names, else in the user's cache folder. Only the
command above uses the network.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vaelib.outside import downloads, folders, given
from vaelib.outside.console import say
from vaelib.outside.downloads import REAL
from vaelib.outside.files import DataError as DataError  # which load raises
from vaelib.outside.files import unread, written_whole

BUILT_IN = ("glyphs", "glyphs-rgb")
BUILT_IN_COUNTS = {True: 12_000, False: 2_000}  # train, test


class Images(NamedTuple("Images", [("x", torch.Tensor), ("y", torch.Tensor), ("name", str)])):
    """A labelled image set in memory: ``x, y, name = images``.

    x: uint8 (N, C, H, W), 0 to 255.  y: int64 (N,), labels from 0.  name: what ``load`` was asked for.
    labels: for ``folder:PATH`` the name of each label, the sub-folder's: ``images.labels[int(images.y[0])]``; else empty.
    """

    labels: tuple[str, ...] = ()  # not a fourth field: an image set is still unpacked into three

    def __new__(cls, x: torch.Tensor, y: torch.Tensor, name: str, labels: Iterable[str] = ()):
        """Three fields, and the labels beside them."""
        self = super().__new__(cls, x, y, name)
        self.labels = tuple(labels)
        return self

    def _replace(self, **changes) -> "Images":
        return Images(**{**self._asdict(), "labels": self.labels, **changes})


def load(name: str, train: bool = True, root: str | os.PathLike | None = None, size: int | None = None) -> Images:
    """Load a whole image set into memory.

    Args:
        name: ``glyphs`` (28x28 grey) or ``glyphs-rgb`` (32x32 colour), built in: 12,000 training and 2,000 test images,
            drawn once and kept in the data folder; ``mnist``, ``fashion-mnist`` or ``cifar10``, once downloaded; or
            ``folder:PATH``, your own images, see below.
        train: the training set, else the test set.
        root: the data folder; default: what ``VAELIB_DATA`` names, else the user's cache folder.
        size: side in pixels, 1 to 4096, for ``folder:PATH`` only. Default: that of the first image if it is square and at
            most 64 pixels wide, else 32. Others are scaled, and cropped around the middle.

    ``folder:PATH``. One line says what was read, what each label is, and names the files that are in neither set.

    - Labels are the sub-folders with a readable image, numbered from 0 and alike in both sets: in numeric order if all names are
      numbers, else in the order of texts. ``Images.labels`` has the names. Without sub-folders all labels are 0; beside them, loose
      files are in neither set. Links to folders are followed.
    - Sets: ``PATH/train`` and ``PATH/test``, each with the labels in it; without test, ``PATH/val`` is the test set. ``training``,
      ``testing``, ``valid``, ``validation``, ``dev`` and ``eval`` mean the same, in any case. Else every tenth file of a label
      is a test image. A layout that can be read in two ways is refused.
    - No data: names that begin with a dot, ``__MACOSX``, ``@eaDir`` and the like, at any depth; empty files.
    - Colour: grey if every image of both sets is stored as grey, with or without transparency; else all have three channels.
    - Transparency: what is transparent shows white, and hidden colours do not show.
    - More than 8 bits a channel: the upper 8 of 16 (or of the 12 that a TIFF states). Refused, since their white is not known:
      16-bit sets in which no value reaches a quarter of 65,535, as with 12 bits in 16; 32-bit and signed integers; floats.
    - EXIF orientation is applied. Of several pages or frames the first is taken.
    - Memory: at most 8 GiB for a set. Of images above 4 megapixels one is decoded at a time, with up to 8 bytes a pixel;
      above Pillow's limit of 179 megapixels they are left out. JPEGs are decoded at a reduced size.

    Raises:
        ValueError: an unknown name, no path behind ``folder:``, or a ``train``, ``root`` or ``size`` that cannot be.
        DataError: the set is not there, or damaged, or may not be read; or the folder holds no readable image, or is refused for a
            reason above.
    """
    given.text("name", name, f"one of {', '.join([*BUILT_IN, *REAL])}, or folder:PATH")
    train = given.flag("train", train)
    if name.startswith("folder:"):
        if not (place := name.removeprefix("folder:")).strip():
            raise given.refuse("name", name, "a path behind the colon; folder:. is the current folder")
        path = Path(os.path.expanduser(place))  # Path's own raises where there is no such home
        x, y, labels = folders.read(path, train, size)
        return Images(x, y, f"folder:{path}", labels)
    if size is not None:
        raise ValueError(f"size={size} was given with {name!r}, whose size is fixed: it is for folder:PATH only.")
    if name in BUILT_IN:
        return _load_built_in(name, train, downloads.folder(root))
    if name in REAL:
        return Images(*downloads.read(name, train, downloads.folder(root)), name)
    raise ValueError(f"unknown image set {name!r}: the known ones are {', '.join([*BUILT_IN, *REAL])} and folder:PATH.")


def at_hand(name: str, otherwise: str) -> str:
    """``name`` if that real set is on disk, else ``otherwise``; prints which, and how to get the other.

    Raises:
        ValueError: ``name`` is no real set, or ``otherwise`` no built-in one.
    """
    given.one_of("name", name, REAL), given.one_of("otherwise", otherwise, BUILT_IN)
    if os.path.isdir(downloads.folder() / REAL[name].folder):
        say(f"Data: {name}, from your data folder.")
        return name
    say(f"Data: {otherwise}, built in. For {name} instead: python -m vaelib.data download {name}, then run this again.")
    return otherwise


# ---- built in


def _load_built_in(name: str, train: bool, root: Path) -> Images:
    from vaelib import glyphs

    path = root / f"{name}-{'train' if train else 'test'}-v{glyphs.VERSION}.npz"
    drawing = {"count": BUILT_IN_COUNTS[train], "seed": 0 if train else 1, "rgb": name == "glyphs-rgb"}
    keep = True
    try:
        with np.load(io.BytesIO(path.read_bytes())) as file:  # a zip file: every member carries a checksum
            x, y = file["x"], file["y"]
        if glyphs.is_drawn(x, y, **drawing):
            return Images(torch.from_numpy(x), torch.from_numpy(y), name)
        raise ValueError("something else")
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # the file may be whole, and others use it
        say(f"{unread(path, error)}. So {name} is drawn anew each time, in about a second.")
        keep = False
    except MemoryError:
        raise
    except Exception:  # a damaged archive makes NumPy raise almost anything
        say(f"{path.name} in the data folder is damaged, so its images are drawn again.")
    x, y = glyphs.draw(**drawing)
    try:
        if keep:
            with written_whole(path) as file:
                np.savez(file, x=x, y=y)
    except OSError as error:
        say(f"{name} cannot be kept in {root} ({error.strerror}), so it is drawn anew each time, in about a second.")
    return Images(torch.from_numpy(x), torch.from_numpy(y), name)


# ---- batches


def as_float(x: torch.Tensor) -> torch.Tensor:
    """uint8 images 0 to 255 become float32 in [0, 1]; any other tensor is returned as it is.

    Raises:
        ValueError: no tensor.
    """
    given.tensor("x", x, kind="any", least=0)
    return x.float().div_(255) if x.dtype == torch.uint8 else x


def binarize(x: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """Draw black or white pixels: each is 1 with probability ``x`` (dynamic binarization; Burda et al. 2016).

    Args:
        x: float images in [0, 1], any shape.
        generator: on the device of ``x``.

    Returns:
        float tensor of zeros and ones, the shape of ``x``.

    Raises:
        ValueError: ``x`` is not float, or (seen on the CPU only: looking would stall a GPU) outside [0, 1].
    """
    given.tensor("x", x, least=0, cure=given.AS_FLOAT)
    given.within("x", x, 0, 1, "images in [0, 1], data.as_float makes them of uint8 0 to 255")
    given.generator("generator", generator, x.device)
    return (torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype) < x).to(x.dtype)


def batchable(*tensors: torch.Tensor | np.ndarray) -> tuple[torch.Tensor, ...]:
    """Tensors from which ``minibatches`` can draw, looked at once; NumPy arrays become tensors.

    Raises:
        ValueError: none, other things than tensors and arrays, an empty one, unequal lengths, several devices; or uint8 images of 0 and
            1, which would come out as 0 and 1/255.
    """
    if not tensors:
        raise ValueError("no tensor was given: use at least one, such as images.x.")
    found = []
    for k, value in enumerate(tensors):
        if isinstance(value, Images):
            raise ValueError("an Images was given, which is pictures and labels: use images.x, or images.x, images.y.")
        if isinstance(value, np.ndarray):
            with contextlib.suppress(TypeError):  # text, objects
                value = torch.from_numpy(np.require(value, value.dtype.newbyteorder("="), "CW"))
        given.tensor(f"tensors[{k}]", value, kind="any", least=1, on=found[0].device if found else None)
        if value.dtype == torch.uint8 and value.dim() == 4 and int(value.max()) == 1:
            raise ValueError(f"tensors[{k}] has uint8 images of 0 and 1, and uint8 counts as 0 to 255: use x.float().")
        found.append(value)
    if len({len(value) for value in found}) > 1:
        lengths = ", ".join(str(len(value)) for value in found)
        raise ValueError(f"the tensors to batch have {lengths} examples: they must be equally long.")
    return tuple(found)


def minibatches(
    *tensors: torch.Tensor, batch_size: int, seed: int = 0, start: int = 0
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Endless shuffled minibatches; the one at step ``start`` is the same whether or not the earlier ones were drawn.

    Each pass over the data has its own order and drops what does not fill a batch. Everything stays on the tensors' device.

    Args:
        tensors: equally long, for example images and labels, tensors or NumPy arrays. uint8 images (N, C, H, W) come out as float in
            [0, 1]. All else comes out as it is: labels (N,) and codes (N, H, W) in uint8, too.
        seed: 0 to 2**64 - 1, of which the last 32 bits count.

    Raises:
        ValueError: what ``batchable`` refuses; a batch size below 1 or above the number of examples; a seed or a start that cannot be.
    """
    tensors, seed, start = batchable(*tensors), given.seed(seed), given.whole("start", start, 0)
    n, batch_size = len(tensors[0]), given.whole("batch_size", batch_size)
    if not 1 <= batch_size <= n:
        raise ValueError(f"batch_size={batch_size} was given for {n} examples: use 1 to {n}.")

    def draw() -> Iterator[tuple[torch.Tensor, ...]]:
        step, order = start, None
        while True:
            epoch, place = divmod(step, n // batch_size)
            if order is None or place == 0:
                generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**64)
                order = torch.randperm(n, generator=generator)
                if tensors[0].is_cuda:
                    order = order.pin_memory()  # from other memory the copy would wait for the GPU
                order = order.to(tensors[0].device, non_blocking=True)
            index = order[place * batch_size : (place + 1) * batch_size]
            batch = (t.index_select(0, index) for t in tensors)
            yield tuple(as_float(t) if t.dim() == 4 else t for t in batch)
            step += 1

    return draw()


if __name__ == "__main__":
    sys.exit(downloads.main())
