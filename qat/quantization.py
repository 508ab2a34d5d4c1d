"""How a net is quantized: kinds and bits of weights and activations, layer by layer.

A recipe says it in these words, and models are built from it; :mod:`lutloom.qat.quantizers` makes
of it what Brevitas takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TypeVar

from lutloom.qat.errors import TrainingError

# Up to these, weights have a constant scale where no other kind is asked for.
_MOST_CONSTANT_BITS = 2


class WeightKind(Enum):
    """What weights become.

    ``CONSTANT`` is a grid with a constant scale: signs at one bit, ternary at two (BNN-PYNQ).
    ``XNOR`` are signs with the mean of absolute values as the scale of each channel (XNOR-Net),
    ``DOREFA`` what DoReFa-Net makes of tanh(w), ``TERNARY`` trained ternary weights (TWN),
    ``LSQ`` a grid whose step size is learned, ``PO2`` one whose scale is a power of two,
    ``INTEGER`` one whose scale follows the largest value, ``A2Q`` one whose sums of absolute values
    are bounded, so that accumulators of so many bits suffice.
    """

    CONSTANT = "constant"
    XNOR = "xnor"
    DOREFA = "dorefa"
    TERNARY = "ternary"
    LSQ = "lsq"
    PO2 = "po2"
    INTEGER = "integer"
    A2Q = "a2q"


class ActivationKind(Enum):
    """What activations become.

    ``SIGNED`` is symmetric around zero with a constant scale (signs at one bit), ``RELU`` from zero
    up with a constant largest value, ``RSIGN`` signs behind learned shifts of channels (ReActNet),
    ``RPRELU`` as ``SIGNED`` behind a PReLU between two learned shifts; ``DOREFA``, ``LSQ`` and
    ``PO2`` are as for weights, from zero up.
    """

    SIGNED = "signed"
    RELU = "relu"
    DOREFA = "dorefa"
    LSQ = "lsq"
    PO2 = "po2"
    RSIGN = "rsign"
    RPRELU = "rprelu"


WEIGHT_BITS: Mapping[WeightKind, tuple[int, int]] = MappingProxyType(
    {
        WeightKind.CONSTANT: (1, 8),
        WeightKind.XNOR: (1, 1),
        WeightKind.DOREFA: (1, 8),
        WeightKind.TERNARY: (2, 2),
        WeightKind.LSQ: (2, 8),
        WeightKind.PO2: (2, 8),
        WeightKind.INTEGER: (2, 8),
        WeightKind.A2Q: (2, 8),
    }
)
"""The least and the most bits of each kind."""

ACTIVATION_BITS: Mapping[ActivationKind, tuple[int, int]] = MappingProxyType(
    {kind: (1, 1) if kind is ActivationKind.RSIGN else (1, 8) for kind in ActivationKind}
)
"""The least and the most bits of each kind."""

ACCUMULATOR_BITS = (4, 20)
"""Of accumulators that are kept to: with more, 32-bit floats could be off by one in their bound."""

LIMITS = (1e-3, 1e6)
"""Of the largest value of activations: steps are neither lost in 32-bit floats nor beyond them."""

_ONE_SCALE = frozenset(
    {
        *(WeightKind.CONSTANT, WeightKind.DOREFA),
        *(ActivationKind.SIGNED, ActivationKind.DOREFA),
        *(ActivationKind.RSIGN, ActivationKind.RPRELU),
    }
)


@dataclass(frozen=True, slots=True)
class WeightSpec:
    """Weights of a layer; ``accumulator_bits`` is what ``A2Q`` keeps sums within.

    Raises :class:`TrainingError` for what its kind doesn't have.
    """

    kind: WeightKind
    bits: int
    per_channel: bool = False
    accumulator_bits: int | None = None

    def __post_init__(self) -> None:
        _check("weights", self.kind, WEIGHT_BITS[self.kind], self.bits, self.per_channel)
        least, most = ACCUMULATOR_BITS
        if self.kind is not WeightKind.A2Q:
            if self.accumulator_bits is not None:
                raise TrainingError(
                    f"weights of kind {self.kind.value} have no accumulator_bits: "
                    "leave them out, or use the kind a2q"
                )
        elif self.accumulator_bits is None:
            raise TrainingError(
                "weights of kind a2q have no accumulator_bits: say how many, "
                f"from {least} to {most}"
            )
        elif not least <= self.accumulator_bits <= most:
            raise TrainingError(
                f"weights of kind a2q have accumulator_bits {self.accumulator_bits}: "
                f"use {least} to {most}"
            )


@dataclass(frozen=True, slots=True)
class ActivationSpec:
    """Activations behind a layer; ``limit`` is the largest value, or where it starts from.

    Raises :class:`TrainingError` for what its kind doesn't have.
    """

    kind: ActivationKind
    bits: int
    per_channel: bool = False
    limit: float = 1.0

    def __post_init__(self) -> None:
        _check("activations", self.kind, ACTIVATION_BITS[self.kind], self.bits, self.per_channel)
        least, most = LIMITS
        if not least <= self.limit <= most:
            raise TrainingError(
                f"activations of kind {self.kind.value} have the limit {self.limit}: "
                f"use a number from {least:g} to {most:g}"
            )


def _check(
    what: str,
    kind: WeightKind | ActivationKind,
    legal: tuple[int, int],
    bits: int,
    per_channel: bool,  # noqa: FBT001 (as in the specs)
) -> None:
    least, most = legal
    if not least <= bits <= most:
        use = f"{least}" if least == most else f"{least} to {most}"
        raise TrainingError(f"{what} of kind {kind.value} can't have {bits} bits: use {use}")
    if per_channel and kind in _ONE_SCALE:
        raise TrainingError(
            f"{what} of kind {kind.value} have one scale for all channels: leave per_channel out"
        )


_Spec = TypeVar("_Spec", WeightSpec, ActivationSpec)


@dataclass(frozen=True)
class Quantization:
    """How a net, or a part of it, is quantized.

    ``overrides`` are specs for layers whose dotted name, as in ``named_modules``, matches the
    pattern (of ``fnmatch``); of several, the last one counts.
    """

    weights: WeightSpec
    activations: ActivationSpec
    weight_overrides: Mapping[str, WeightSpec] = field(default_factory=dict)
    activation_overrides: Mapping[str, ActivationSpec] = field(default_factory=dict)
    prefix: str = ""

    def __post_init__(self) -> None:
        for name in ("weight_overrides", "activation_overrides"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def at(self, name: str) -> Quantization:
        """Return the quantization of the part ``name`` of the net, a layer or a group of them."""
        path = f"{self.prefix}.{name}" if self.prefix else name
        here = replace(self, prefix=path)
        for pattern, weights in self.weight_overrides.items():
            if fnmatchcase(path, pattern):
                here = replace(here, weights=weights)
        for pattern, activations in self.activation_overrides.items():
            if fnmatchcase(path, pattern):
                here = replace(here, activations=activations)
        return here

    def or_else(
        self,
        weights: Mapping[str, WeightSpec] | None = None,
        activations: Mapping[str, ActivationSpec] | None = None,
    ) -> Quantization:
        """Return this one, with other specs in parts of the net that no override is for.

        They are given by the names of these parts; whatever was asked for comes before.
        """
        return replace(
            self,
            weight_overrides=self._before(weights or {}, self.weight_overrides),
            activation_overrides=self._before(activations or {}, self.activation_overrides),
        )

    def _before(self, others: Mapping[str, _Spec], asked: Mapping[str, _Spec]) -> dict[str, _Spec]:
        prefix = f"{self.prefix}." if self.prefix else ""
        named = {f"{prefix}{name}": spec for name, spec in others.items()}
        return {**{name: spec for name, spec in named.items() if name not in asked}, **asked}


def of_bits(
    weights: int, activations: int, kind: ActivationKind = ActivationKind.RELU
) -> Quantization:
    """Return the usual quantization of so many bits of weights and of activations.

    Weights of one and two bits have a constant scale, of more one that follows each channel;
    activations are signs at one bit and of ``kind`` at more; or the other way round if ``kind`` is
    one of signs, as RSIGN.
    """
    follows = weights > _MOST_CONSTANT_BITS
    of_weights = WeightKind.INTEGER if follows else WeightKind.CONSTANT
    spec = WeightSpec(of_weights, weights, per_channel=follows)
    if (activations == 1) != (kind is ActivationKind.RSIGN):
        kind = ActivationKind.SIGNED
    return Quantization(spec, ActivationSpec(kind, activations))
