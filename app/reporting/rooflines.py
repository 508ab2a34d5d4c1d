"""The roofline: what arithmetic and input and output would allow, and what the design does.

    rate of operations  <=  min(peak of the arithmetic, intensity * bandwidth of the busiest stream)

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures", CACM 52(4), 2009; here for a dataflow design, whose weights stay on the device:
what is moved are images and results.

* operations: a multiplication and an addition of each multiply-accumulate, taps on padding
  included; comparisons, pools and the host's part are not counted.
* peak: two for each product that the foldings make in a cycle, times the clock.
* device: the same design repeated until the scarcest resource is used up, beside one shell.
* intensity: operations over bytes of an image on the busiest of the design's AXI streams, whole
  transfers.
* bandwidth: bytes of one transfer on it, times the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lutloom.core.counts import counted
from lutloom.reporting.charts import Chart, Curve, Mark, axes, curve
from lutloom.reporting.wording import count


@dataclass(frozen=True)
class Roofline:
    """The figures of the roofline, for one image and for a second: see the module.

    ``stream`` names the busiest stream; ``port_bytes`` are those of the board's widest transfer,
    0 where there is no port to memory.
    """

    operations: int
    operations_per_cycle: int
    stream: str
    stream_bytes: int
    transfer_bytes: int
    port_bytes: int
    images_per_second: float
    clock_mhz: float
    device_share: float | None
    """How much the design takes of what the shell leaves, of the scarcest resource; None where the
    shell leaves nothing of something."""

    @property
    def intensity(self) -> float:
        """Operations over bytes."""
        return self.operations / self.stream_bytes

    @property
    def achieved(self) -> float:
        """Operations a second."""
        return self.operations * self.images_per_second

    @property
    def peak(self) -> float:
        """Operations a second that the design's arithmetic could do."""
        return self.operations_per_cycle * self.clock_mhz * 1e6

    @property
    def device_peak(self) -> float | None:
        """Operations a second of such arithmetic on the whole device; None where there is none."""
        return self.peak / self.device_share if self.device_share else None

    @property
    def bandwidth(self) -> float:
        """Bytes a second on the busiest stream."""
        return self.transfer_bytes * self.clock_mhz * 1e6

    @property
    def port_bandwidth(self) -> float:
        """Bytes a second of one of the board's ports to memory, at the design's clock."""
        return self.port_bytes * self.clock_mhz * 1e6

    @property
    def is_bound_by_stream(self) -> bool:
        """Whether the stream, and not the arithmetic, is the lower roof."""
        return self.intensity * self.bandwidth < self.peak


def roofline_chart(roof: Roofline) -> Chart:
    """Return the roofline as a chart: operations a second over operations a byte."""
    bound = min(roof.peak, roof.intensity * roof.bandwidth)
    ridge = roof.peak / roof.bandwidth
    peaks = {"peak": roof.peak}
    if roof.device_peak is not None:
        peaks["device"] = roof.device_peak
    x, y = axes((roof.intensity, ridge, roof.intensity / 10), (*peaks.values(), roof.achieved))

    def roofs() -> Iterator[Curve]:
        for style, peak in peaks.items():
            yield curve([(x.low, peak), (x.high, peak)], x, y, style, style)
        sloped = [("stream", "stream", roof.bandwidth)]
        if roof.port_bytes > roof.transfer_bytes:
            sloped.append(("port", "port", roof.port_bandwidth))
        for text, style, bandwidth in sloped:
            ends = max(x.low, y.low / bandwidth), min(x.high, y.high / bandwidth)
            yield curve([(at, at * bandwidth) for at in ends], x, y, text, style)

    marks = (
        Mark(x.at(roof.intensity), y.at(bound), "what the roofs allow", "bound"),
        Mark(x.at(roof.intensity), y.at(roof.achieved), "this design", "point"),
    )
    text = (
        f"{count(roof.achieved)}op/s at {counted(count(roof.intensity), 'operation')} a byte; the"
        " arithmetic"
        f" allows {count(roof.peak)}op/s, the stream"
        f" {count(roof.intensity * roof.bandwidth)}op/s"
    )
    return Chart(
        x, y, "operations a byte of the busiest stream", "operations a second", tuple(roofs()),
        marks, text,
    )  # fmt: skip
