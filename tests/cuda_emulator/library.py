"""Arrays of the emulated GPU in the public functions, in the place of CuPy's."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tests.cuda_emulator.device_arrays import DeviceArray


class EmulatedLibrary:
    """``axsim.engines.gpu.arrays.Library`` for device arrays, which are all on GPU 0."""

    def owns(self, array: object) -> bool:
        return isinstance(array, DeviceArray)

    def device(self, array: Any) -> int:
        return 0

    def context(self, device: int) -> AbstractContextManager[Any]:
        return nullcontext()

    def borrowed(self, name: str, array: Any) -> Any:
        return array

    def returned(self, array: Any) -> Any:
        assert isinstance(array, DeviceArray)
        return array
