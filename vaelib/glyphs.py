"""The built-in images: digits drawn from the fonts that matplotlib ships, bent and coloured at random.

``glyphs`` looks like MNIST (28x28 grey, ten labels) and ``glyphs-rgb`` stands in for CIFAR-10 (32x32 colour). Both need
no network, and the same seed always draws the same images.
"""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from vaelib.outside import given

VERSION = 1  # part of the cache file's name: raise it whenever the drawing changes

FACES = [
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSans-BoldOblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-Oblique",
    "DejaVuSansMono-BoldOblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "STIXGeneralBolIta",
    "cmr10",
    "cmb10",
    "cmss10",
    "cmtt10",
]
_CANVAS = 48  # a template is drawn this wide, its digit 32 high; a 28x28 image shows the digit about 20 high
_CHUNK = 1000  # images warped at once: keeps the working set near 20 MB


def draw(count: int, seed: int, rgb: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Draw labelled digit images.

    Args:
        count: how many, at least 1.
        seed: 0 to 2**64 - 1; another seed gives other images (of those above 2**32, the last 32 bits count).
        rgb: 32x32 colour on textured grounds instead of 28x28 grey on black.

    Returns:
        images, uint8 (count, 1, 28, 28) or (count, 3, 32, 32), and labels, int64 (count,), 0 to 9 in equal shares.

    Raises:
        ValueError: a count or a seed that cannot be.
    """
    labels, generator = _begin(count, seed)
    rgb, templates = given.flag("rgb", rgb), _templates()
    parts = []
    for digits in labels.split(_CHUNK):
        ink = _warp(templates, digits, 32 if rgb else 28, generator)
        parts.append(_colour(ink, generator) if rgb else ink)
    images = torch.cat(parts).mul_(255).round_().clamp_(0, 255).to(torch.uint8)
    return images.numpy(), labels.numpy()


def is_drawn(x: np.ndarray, y: np.ndarray, count: int, seed: int, rgb: bool) -> bool:
    """Whether arrays that were kept can be what ``draw`` gives: their types and shapes, and each label."""
    labels = _begin(count, seed)[0].numpy()
    shape = (count, 3, 32, 32) if rgb else (count, 1, 28, 28)
    right = [(x.dtype, x.shape), (y.dtype, y.shape)] == [(np.uint8, shape), (labels.dtype, labels.shape)]
    return right and np.array_equal(y, labels)


def _begin(count: int, seed: int) -> tuple[torch.Tensor, torch.Generator]:
    """The labels, and the generator that has drawn them."""
    count, generator = given.whole("count", count, 1), torch.Generator().manual_seed(given.seed(seed))
    return torch.arange(count)[torch.randperm(count, generator=generator)] % 10, generator


def _templates() -> torch.Tensor:
    """Every digit in every face, centred, 32 high on a 48x48 canvas: float (10, faces, 48, 48) in [0, 1]."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    canvases = np.zeros((10, len(FACES), _CANVAS, _CANVAS), np.float32)
    for j, face in enumerate(FACES):
        font = ImageFont.truetype(str(folder / f"{face}.ttf"), 44)
        for digit in range(10):
            canvas = Image.new("L", (_CANVAS, _CANVAS))
            left, top, right, bottom = font.getbbox(str(digit))
            glyph = Image.new("L", (right - left, bottom - top))
            ImageDraw.Draw(glyph).text((-left, -top), str(digit), fill=255, font=font)
            width = min(34, round(32 * glyph.width / glyph.height))
            canvas.paste(
                glyph.resize((width, 32), Image.Resampling.LANCZOS), ((_CANVAS - width) // 2, (_CANVAS - 32) // 2)
            )
            canvases[digit, j] = np.asarray(canvas, np.float32) / 255
    return torch.from_numpy(canvases)


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(n, generator=generator)


def _warp(templates: torch.Tensor, digits: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """A random face per digit, under a random affine map, a smooth elastic warp and a random stroke weight."""
    n = len(digits)
    faces = torch.randint(len(FACES), (n,), generator=generator)
    source = templates[digits, faces].unsqueeze(1)
    angle = _uniform(n, -15, 15, generator) * math.pi / 180
    shear = _uniform(n, -0.25, 0.25, generator)
    # grid_sample maps output to input, so a factor above 1 shrinks the digit; 28/20 over 48/32 leaves it 20 high
    scale = _uniform(n, 0.88, 1.18, generator) * (28 / 20) / (48 / 32) * (size / 28)
    aspect = _uniform(n, 0.88, 1.14, generator)
    cos, sin = torch.cos(angle), torch.sin(angle)
    shift = torch.rand(n, 2, generator=generator) * 0.16 - 0.08
    affine = torch.stack(
        [
            torch.stack([scale * aspect * cos, scale * (aspect * shear * cos - sin), shift[:, 0]], -1),
            torch.stack([scale * aspect * sin, scale * (aspect * shear * sin + cos), shift[:, 1]], -1),
        ],
        1,
    )
    bend = F.interpolate(
        torch.randn(n, 2, 4, 4, generator=generator) * 0.045, size=(size, size), mode="bicubic", align_corners=True
    )
    grid = F.affine_grid(affine, (n, 1, size, size), align_corners=False) + bend.permute(0, 2, 3, 1)
    ink = F.grid_sample(source, grid, mode="bilinear", align_corners=False)
    ink = F.avg_pool2d(F.pad(ink, (1, 1, 1, 1), mode="replicate"), 3, 1) * 0.5 + ink * 0.5
    weight = _uniform(n, 0.12, 0.32, generator).view(n, 1, 1, 1)  # a lower threshold leaves a bolder stroke
    return ((ink - weight) * 2.2).clamp_(0, 1)


def _colour(ink: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Digits in one colour on a ground of another, both with smooth texture; light on dark or dark on light."""
    n, _, size, _ = ink.shape
    ground, stroke = (torch.rand(n, 3, 1, 1, generator=generator) for _ in range(2))
    dark = (torch.rand(n, 1, 1, 1, generator=generator) < 0.5).float()
    ground = dark * ground * 0.5 + (1 - dark) * (0.5 + ground * 0.5)
    stroke = dark * (0.6 + stroke * 0.4) + (1 - dark) * stroke * 0.4
    texture = torch.zeros(n, 3, size, size)
    for cells, strength in ((3, 0.10), (8, 0.06)):
        coarse = torch.randn(n, 3, cells, cells, generator=generator) * strength
        texture += F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
    phase = _uniform(n, 0, 2 * math.pi, generator).view(n, 1, 1)
    turn = _uniform(n, 0, math.pi, generator).view(n, 1, 1)
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    period = _uniform(n, 4, 12, generator).view(n, 1, 1)
    stripes = torch.sin((row * torch.sin(turn) + column * torch.cos(turn)) * 2 * math.pi / period + phase)
    texture += 0.06 * stripes.unsqueeze(1)
    return (ink * stroke + (1 - ink) * (ground + texture)).clamp_(0, 1)
