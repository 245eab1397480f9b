"""Arrays that are known now and read later.

A checkpoint of a gigabyte passes through the importers one tensor at a time: readers hand out recipes, the writers of
safetensors and ONNX ask for one array, write it and forget it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LazyArray:
    """An array's shape and type, and how to get its numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], NDArray[Any]]

    @classmethod
    def of(cls, array: NDArray[Any]) -> LazyArray:
        """Wrap an array that is small enough to keep."""
        return cls(array.shape, array.dtype, lambda: array)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def then(self, change: Callable[[NDArray[Any]], NDArray[Any]], shape: tuple[int, ...] | None = None) -> LazyArray:
        """Give the array after `change`; `shape` if the change alters it. The result is float32."""
        load = self.load
        return LazyArray(
            self.shape if shape is None else shape,
            np.dtype(np.float32),
            lambda: np.asarray(change(load()), np.float32),
        )

    def astype(self, dtype: type[np.generic]) -> LazyArray:
        """Give the array in another type."""
        load = self.load
        return LazyArray(self.shape, np.dtype(dtype), lambda: load().astype(dtype))
