"""The exercises of notebook 00: what each answer is held against, and hints for the usual slips."""

from collections.abc import Callable

import numpy as np
import torch

from vaelib.classroom.exercises.marking import Wrong, exercise, finite_tensor, near


@exercise
def to_unit_range(answer: Callable) -> str:
    """00.1 uint8 images (N, C, H, W), 0 to 255, to float32 images in [0, 1]."""
    x = torch.arange(0, 240, 10, dtype=torch.uint8).reshape(2, 3, 2, 2)
    x[1, 2, 1, 1] = 255
    dim = (x // 2).contiguous()  # a batch without a 255
    for images in (x, dim):
        kept = images.clone()
        y = finite_tensor(answer(images), (2, 3, 2, 2), "the result").detach()
        if not torch.equal(images, kept):
            raise Wrong("your function changed its input: return a new tensor.")
        if y.dtype != torch.float32:
            raise Wrong(f"the result should be float32, and is {y.dtype}.")
        if near(y, images / 256, 1e-6):
            raise Wrong("255 should become exactly 1, and yours becomes 255/256.")
        if images is dim and near(y, images / int(images.max()), 1e-6):
            raise Wrong("divide by the largest value a uint8 can have, not by the largest one in this batch.")
        if float(y.min()) < 0:
            raise Wrong("0 should stay 0; [-1, 1] is another convention.")
        right = torch.from_numpy(images.numpy() / np.float64(255))
        if not near(y, right, 1e-6):
            place = int((y.double() - right).abs().argmax())
            value, got, want = (t.flatten()[place].item() for t in (images, y, right))
            raise Wrong(f"{value} should become {want:.7f}, and becomes {got:.7f}.")
    return "0 to 255 became 0 to 1, in float32."
