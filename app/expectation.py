"""What a simulation should give: outputs of an earlier run, compared number by number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.core.errors import RangeError
from lutloom.rows import Rows, array_rows, npy_rows, npz_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lutloom.core.network import Network
    from lutloom.data import DataSource


@dataclass(frozen=True, slots=True)
class Difference:
    """The first number that is not as expected, and how many there are.

    ``position`` is its place in the output, the image first.
    """

    output: str
    position: tuple[int, ...]
    found: float
    wanted: float
    numbers: int
    """How many numbers of all outputs differ."""
    images: int
    """In how many images."""

    def __str__(self) -> str:
        return (
            f"{self.output}{list(self.position)} is {self.found} instead of {self.wanted};"
            f" numbers that differ: {self.numbers:,}, in images: {self.images:,}"
        )

    def and_then(self, later: Difference | None) -> Difference:
        """Return this difference, with those of ``later`` images counted too."""
        if later is None:
            return self
        return replace(
            self, numbers=self.numbers + later.numbers, images=self.images + later.images
        )


def open_expected(source: DataSource, network: Network, count: int, total: int) -> dict[str, Rows]:
    """Return the expected outputs in ``source``, which are not read yet.

    That is an array or a .npy file; for several outputs a mapping or a .npz file, by their names.
    They are those of ``total`` images, or of the first ``count`` that are simulated.

    Raises ``DataFileError`` if it is no such thing, and ``RangeError`` if it does not fit the
    outputs of ``network``.
    """
    if isinstance(source, str | Path) and Path(source).suffix == ".npz":
        found = npz_rows(Path(source), _WHAT)
    elif isinstance(source, Mapping):
        found = {name: _rows(entry) for name, entry in source.items()}
    else:
        found = {network.output.name: _rows(source)}
    names = [port.name for port in network.outputs]
    if set(found) != set(names):
        raise RangeError(
            f"the expected outputs are {sorted(found)}, but the model's are {sorted(names)}: give"
            " an array for each of them, by its name"
        )
    for port in network.outputs:
        shape, dtype = found[port.name].shape, found[port.name].dtype
        if dtype.kind not in "fiub":
            raise RangeError(f"the expected output '{port.name}' holds {dtype}, not numbers")
        if shape[1:] != port.shape or found[port.name].count not in {count, total} or not shape:
            raise RangeError(
                f"the expected output '{port.name}' has the shape {list(shape)}, and should have"
                f" {[count, *port.shape]}"
            )
    return {name: found[name] for name in names}


_WHAT = "expected"


def _rows(source: str | Path | NDArray[Any]) -> Rows:
    import numpy as np

    return array_rows(source) if isinstance(source, np.ndarray) else npy_rows(Path(source), _WHAT)


def expected_batches(
    rows: Mapping[str, Rows], count: int, size: int
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the expected outputs of the first ``count`` images, ``size`` at a time."""
    for parts in zip(*(part.chunks(count, size) for part in rows.values()), strict=True):
        yield dict(zip(rows, parts, strict=True))


def difference(
    found: Mapping[str, NDArray[Any]], wanted: Mapping[str, NDArray[Any]], first_image: int
) -> Difference | None:
    """Return where outputs ``[n, ...]`` of some images differ, if they do.

    The first is that of the first image. Numbers are compared by their value, whatever their type;
    what is no number is equal to what is none.
    """
    import numpy as np

    places = {}
    for name, array in found.items():
        both_nan = (array != array) & (wanted[name] != wanted[name])  # noqa: PLR0124 - no number
        where = np.argwhere((array != wanted[name]) & ~both_nan)
        if len(where):
            places[name] = where
    if not places:
        return None
    name = min(places, key=lambda name: int(places[name][0][0]))
    at = tuple(int(index) for index in places[name][0])
    images = np.unique(np.concatenate([where[:, 0] for where in places.values()]))
    return Difference(
        name,
        (at[0] + first_image, *at[1:]),
        found[name][at].item(),
        wanted[name][at].item(),
        sum(map(len, places.values())),
        len(images),
    )
