"""Models by name: a family and the bits of weights and activations, as in ``CNV_1W1A``.

``CNV_FLOAT`` is the family without quantizers: no hardware, but a teacher, or a start.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from lutloom.qat.errors import TrainingError
from lutloom.qat.models.families import FAMILIES
from lutloom.qat.models.unquantized import unquantized
from lutloom.qat.quantization import ActivationSpec, Quantization, of_bits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from lutloom.qat.models.family import Family, Given

_NAME = re.compile(r"(.+?)(?:([1-8])W([1-8])A|FLOAT)")

FLOAT = (32, 32)
"""The bits of weights and activations of a model without quantizers."""


def families() -> Mapping[str, Family]:
    """Return the families by name."""
    return FAMILIES


def model_names() -> tuple[str, ...]:
    """Return a name for each family and its usual bits; :func:`build_model` knows others too."""
    return tuple(_spelled(family, bits) for family in FAMILIES.values() for bits in family.bits)


def parse_name(name: str) -> tuple[Family, tuple[int, int]]:
    """Return the family of ``name`` and the bits of weights and activations that it says.

    Capitals and separators are free: ``ResNet-18 4w4a`` is ``RESNET18_4W4A``. Bits are 1 to 8, or
    left out for the family's usual ones; ``FLOAT`` in their place are 32. Raises
    :class:`TrainingError` if there is no such model.
    """
    key = _key(name)
    known = {_key(family): family for family in FAMILIES}
    if key in known:
        family = FAMILIES[known[key]]
        return family, family.bits[0]
    match = _NAME.fullmatch(key)
    if match and match[1] in known:
        bits = (int(match[2]), int(match[3])) if match[2] else FLOAT
        return FAMILIES[known[match[1]]], bits
    names = {_key(other): other for other in (*model_names(), *FAMILIES)}
    close = get_close_matches(key, names, n=1)
    nearest = f" (did you mean {names[close[0]]}?)" if close else ""
    raise TrainingError(
        f"there is no model {name!r}{nearest}: use one of {', '.join(FAMILIES)}, with 1 to 8 bits "
        "for weights and for activations if you like, as in TFC_1W2A, or without any, TFC_FLOAT"
    )


def canonical_name(name: str) -> str:
    """Return the registered spelling of ``name``: ``tfc-1w1a`` is ``TFC_1W1A``, so is ``tfc``.

    Raises :class:`TrainingError` if there is no such model.
    """
    return _spelled(*parse_name(name))


def is_float(name: str) -> bool:
    """Return whether the model ``name`` has no quantizers.

    Raises :class:`TrainingError` if there is no such model.
    """
    return parse_name(name)[1] == FLOAT


def default_quantization(name: str) -> Quantization:
    """Return what the bits of ``name`` mean in its family; of floats what they are built from.

    Raises :class:`TrainingError` if there is no such model.
    """
    family, bits = parse_name(name)
    # activations of these are ReLUs, and weights are drawn as those of floats
    return of_bits(8, 8) if bits == FLOAT else family.quantization(*bits)


def build_model(
    name: str,
    input_shape: tuple[int, ...],
    classes: int,
    quantization: Quantization | None = None,
    **options: Given,
) -> nn.Module:
    """Return the untrained model ``name`` for inputs of ``input_shape``, images (C, H, W).

    It takes (N, *input_shape) floats in [0, 1] and returns (N, classes) logits; if its task is
    reconstruction, what it makes of its input. ``quantization`` takes the place of what the name
    says. ``options`` are those of the family. Weights are drawn from torch's global generator.

    Raises :class:`TrainingError` if there is no such model, it has no such options, can't be built
    for that shape, or has no layer that an override of ``quantization`` names.
    """
    return _built(name, input_shape, classes, quantization, options)[0]


def activation_specs(
    name: str,
    input_shape: tuple[int, ...],
    classes: int,
    quantization: Quantization | None = None,
    **options: Given,
) -> Mapping[str, ActivationSpec]:
    """Return what :func:`build_model` makes of activations, by the names that overrides may have.

    A name is a layer's, or that of a part of the model. All is as there.
    """
    return _built(name, input_shape, classes, quantization, options)[1]


def _built(
    name: str,
    input_shape: tuple[int, ...],
    classes: int,
    quantization: Quantization | None,
    options: Mapping[str, Given],
) -> tuple[nn.Module, Mapping[str, ActivationSpec]]:
    family, bits = parse_name(name)
    if not family.shapes.fits(input_shape):
        others = [other.name for other in FAMILIES.values() if other.shapes.fits(input_shape)]
        raise TrainingError(
            f"{family.name} takes {family.shapes}, not "
            f"{' x '.join(map(str, input_shape))}: use {', '.join(others)}, or other data"
        )
    values = {option: family.value(option, given) for option, given in options.items()}
    if bits == FLOAT and quantization is not None:
        raise TrainingError(
            f"{_spelled(family, bits)} has no quantizers: leave the quantization out, or say"
            f" {family.name} to quantize it"
        )
    asked = _recorded(quantization if quantization is not None else default_quantization(name))
    model = family.build(asked, input_shape, classes, **values)
    _check_overrides(family, asked)
    return unquantized(model) if bits == FLOAT else model, asked.names


@dataclass(frozen=True)
class _Recorded(Quantization):
    """A quantization that keeps what it was asked for, and what it said of activations there."""

    names: dict[str, ActivationSpec] = field(default_factory=dict, compare=False)

    def at(self, name: str) -> Quantization:
        here = super().at(name)
        self.names[here.prefix] = here.activations
        return here


def _recorded(quantization: Quantization) -> _Recorded:
    return _Recorded(
        quantization.weights,
        quantization.activations,
        quantization.weight_overrides,
        quantization.activation_overrides,
        quantization.prefix,
    )


def _check_overrides(family: Family, asked: _Recorded) -> None:
    """Refuse an override that no layer heeds."""
    for pattern in (*asked.weight_overrides, *asked.activation_overrides):
        if not any(fnmatchcase(name, pattern) for name in asked.names):
            close = get_close_matches(pattern, asked.names, n=3)
            nearest = f", such as {', '.join(close)}" if close else ""
            raise TrainingError(
                f"{family.name} has no layer {pattern!r} with a quantization of its own: use "
                f"names of its modules{nearest}"
            )


def _spelled(family: Family, bits: tuple[int, int]) -> str:
    if bits == FLOAT:
        return f"{family.name}_FLOAT"
    return f"{family.name}_{bits[0]}W{bits[1]}A"


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).upper()
