"""Assertions about a build, for tests: it is exact, it is good, it gives what it gave.

They raise ``AssertionError`` with a sentence that says what differs, and where. They need no
pytest; its plugin (``lutloom.pytest_plugin``) hands them to tests as ``lutloom_design``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lutloom.build import Build
from lutloom.core.counts import counted
from lutloom.core.errors import RangeError
from lutloom.data import samples_of
from lutloom.data_set import open_data
from lutloom.engines import Engine
from lutloom.random_images import random_images
from lutloom.simulation import Simulation, simulate
from lutloom.verification import SAMPLES, verify

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.data import ArraySource, DataSource
    from lutloom.image_folder import Pixels


@dataclass(frozen=True, eq=False)
class Design:
    """A build, inputs of its model ``[N, ...]``, and their ``N`` classes, to make assertions about.

    ``data``, ``labels`` and ``pixels`` are what ``lutloom.simulate`` takes. Without data,
    ``assert_exact`` uses those that the build was compiled with, or random ones.
    """

    build: Build
    data: DataSource | None = None
    labels: ArraySource | None = None
    pixels: Pixels | None = None

    def assert_exact(self, *, samples: int = SAMPLES, exact: int = 0, csim: bool = True) -> None:
        """Assert that every stage computes the same on the first ``samples`` images.

        The model in qonnx's executor, the integer graph, its processes, their C++ (unless ``csim``
        is False), and the engine that simulates; the first ``exact`` images also by the exact
        interpreter of the model. Raises a ``LutloomError`` where a stage can't be run: a test of
        what is not there does not pass.
        """
        __tracebackhide__ = True
        images = self._samples(samples)
        result = verify(self.build, images, samples=samples, exact=exact, csim=csim)
        failure = result.first_failure
        if failure is not None:
            remark = f": {failure.remark}" if failure.remark else ""
            raise AssertionError(
                f"{failure.subject}: {failure.stage.value} differ in {failure.unexplained:,} of"
                f" {failure.elements:,}{remark}"
            )
        reference = simulate(self.build, images, engine=Engine.REFERENCE)
        found = simulate(self.build, images, expect=reference.arrays)
        if found.difference is not None:
            raise AssertionError(f"the engine and its reference differ: {found.difference}")

    def assert_accuracy(self, *, at_least: float) -> None:
        """Assert that this share of the labels, from 0 to 1, is met.

        Raises ``RangeError`` without labels or images.
        """
        __tracebackhide__ = True
        found = self._simulate(min_accuracy=at_least)
        if not found.passed:
            raise AssertionError(
                f"{found.correct:,} of {counted(found.images, 'label')} met"
                f" ({found.accuracy:.2%}), and should be at least {at_least:.2%}"
            )

    def assert_outputs(self, expected: DataSource) -> None:
        """Assert that the model's outputs are ``expected``, bit for bit: what a release gave, say.

        An array or a .npy file; of several outputs a mapping or a .npz file, by their names.
        """
        __tracebackhide__ = True
        found = self._simulate(expect=expected)
        if found.difference is not None:
            raise AssertionError(str(found.difference))

    def _simulate(
        self, *, min_accuracy: float | None = None, expect: DataSource | None = None
    ) -> Simulation:
        if self.data is None:
            raise RangeError("the design has no data to simulate: give it some, data='images.npy'")
        return simulate(
            self.build,
            self.data,
            labels=self.labels,
            pixels=self.pixels,
            min_accuracy=min_accuracy,
            expect=expect,
            keep=False,
        )

    def _samples(self, count: int) -> Mapping[str, NDArray[Any]]:
        network = self.build.network
        if self.data is not None:
            return open_data(self.data, network, pixels=self.pixels, least=1).first(count)
        given = self.build.samples()
        if given is None:
            return random_images(network, count, seed=0)
        return samples_of(network.named(given), slice(count))
