"""How long does it take? For scripts that compare: everything within one run, interleaved, medians."""

import statistics
import time

import torch


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(run, device):
    synchronise(device)
    start = time.perf_counter()
    run()
    synchronise(device)
    return time.perf_counter() - start


def medians(arms, device, repeats, warm_up=3):
    """name -> median milliseconds of each, interleaved, after rounds that warm up."""
    taken = {name: [] for name in arms}
    for repeat in range(repeats + warm_up):
        for name, run in arms.items():
            spent = seconds(run, device)
            if repeat >= warm_up:
                taken[name].append(1e3 * spent)
    return {name: statistics.median(values) for name, values in taken.items()}


def seconds_per_step(train, few, more, device):
    """What ``train(few + more)`` takes longer than ``train(few)``, for each of the steps more; once before to warm up."""
    _, short, long = (seconds(lambda steps=steps: train(steps), device) for steps in (few, few, few + more))
    return max(long - short, 1e-3) / more
