"""What ``axsim doctor`` says of a GPU: its limits, and the kernels chosen for some products."""

from __future__ import annotations

from axsim.engines.gpu.gather.plan import Sums, Variant, choose_variant
from axsim.engines.gpu.runtime.interface import Device

# 16-bit entries, int32 sums.
_WORK = {
    "256 x 256 by 256 x 256": Sums(1, 256, 256, 256, False, 2, 65537, 4),
    "4096 x 4096 by 4096 x 4096": Sums(1, 4096, 4096, 4096, False, 2, 65537, 4),
    "3 x 3, 64 to 64 channels, 32 images of 56 x 56": Sums(1, 32 * 56 * 56, 64, 64 * 9, True, 2, 65537, 4),
}


def findings(device: Device) -> list[tuple[str, str]]:
    """What there is to say, as (subject, finding)."""
    major, minor = device.capability
    return [
        (
            "GPU",
            f"{device.name}, capability {major}.{minor}, {device.multiprocessors} multiprocessors, "
            f"{device.shared_per_block >> 10} KiB of shared memory for a block, "
            f"{device.shared_per_multiprocessor >> 10} for a multiprocessor, {device.l2_bytes >> 20} MiB L2",
        ),
        *(
            ("GPU look-ups", f"{what}: {_described(choose_variant(device, work))}")
            for what, work in _WORK.items()
        ),
    ]


def _described(variant: Variant) -> str:
    table = "the table in shared memory" if variant.table_shared else "the table in global memory"
    split = f", terms in {variant.splits} pieces" if variant.splits > 1 else ""
    return f"{variant.kernel}, tiles of {variant.rows} by {variant.lanes}, {table}{split}"
