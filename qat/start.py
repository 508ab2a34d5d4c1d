"""Post-training quantization: a quantized model begins with the weights of the same one in floats.

* Channels may be evened out first: behind a ReLU, a channel of one layer and the next layer's
  weights for it are multiplied by factors that cancel out, so that one scale suits a whole tensor
  (Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction, ICCV 2019;
  Brevitas' ``EqualizeGraph``).
* The range of a quantizer of activations is the one with the least squared error over some images
  (as in Banner et al., Post Training 4-bit Quantization of Convolutional Networks, NeurIPS 2019);
  it becomes the ``limit`` of that layer in the recipe.
* Weights that are clipped are scaled to their whole range, as norms behind them make up for it.
* Means that quantization shifts are corrected in the norms, whose statistics become those of the
  quantized model, and in what biases there are (Nagel et al.; Brevitas' ``bias_correction_mode``).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lutloom.qat.brevitas_parts import QuantIdentity, QuantReLU
from lutloom.qat.checkpoint import BEST, CHECKPOINTS, read_run
from lutloom.qat.errors import TrainingError
from lutloom.qat.fitting import threads_and_generator_kept
from lutloom.qat.models import activation_specs, default_quantization, is_float
from lutloom.qat.quantization import LIMITS, ActivationKind
from lutloom.qat.quantization_text import quantization_table
from lutloom.qat.quantizers import clipped_weights
from lutloom.qat.recalibration import recalibrate
from lutloom.qat.recipe_model import build_recipe_model, recipe_quantization
from lutloom.qat.recipe_rules import RecipeError
from lutloom.qat.run import values_of
from lutloom.qat.trained import load_trained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    from lutloom.qat.data import Dataset
    from lutloom.qat.quantization import ActivationSpec
    from lutloom.qat.recipe import Recipe, StartSection

_BATCH = 100
# Of each batch so many values of a quantizer are looked at.
_SAMPLES = 20_000
# Ranges are tried in such parts of the largest value.
_PARTS = 64


@dataclass(frozen=True, slots=True)
class _Range:
    """What a quantizer is to be: its largest value, and whether there are negative ones."""

    limit: float
    signed: bool


def quantized_start(
    recipe: Recipe, dataset: Dataset, images: torch.Tensor
) -> tuple[Recipe, nn.Module]:
    """Return the model of a recipe with its start, and the recipe with the ranges that it found.

    ``images`` (N, ...) are floats as the model takes them. All is computed by one thread, so that
    it is the same each time. Raises :class:`TrainingError` for a start that is none in floats, or
    of another model.
    """
    assert recipe.start is not None, "the caller has looked"
    if is_float(recipe.model.name):
        raise RecipeError(
            f"model.name is {recipe.model.name!r}, in which nothing is quantized: say the bits of"
            " the model that is to begin, or leave [start] out",
            "model.name",
        )
    with threads_and_generator_kept(1):
        start = _in_floats(recipe.start, dataset)
        return quantized_as(recipe, start, dataset.input_shape, dataset.classes, images)


def quantized_as(
    recipe: Recipe,
    start: nn.Module,
    input_shape: tuple[int, ...],
    classes: int,
    images: torch.Tensor,
) -> tuple[Recipe, nn.Module]:
    """Return what :func:`quantized_start` does, for a model in floats, which may be changed."""
    start.eval()
    untrained = build_recipe_model(recipe, input_shape, classes)
    _check_same(untrained, start)
    if recipe.start is not None and recipe.start.equalize:
        _equalize(start, images[:1])
    specs = activation_specs(
        recipe.model.name,
        input_shape,
        classes,
        recipe_quantization(recipe),
        **recipe.model.options,
    )
    calibrated = _with_limits(recipe, _limits(start, untrained, specs, images))
    model = build_recipe_model(calibrated, input_shape, classes)
    _take_over(model, start)
    batches = images.split(_BATCH)  # type: ignore[no-untyped-call]
    recalibrate(model, batches)
    _correct_biases(model, batches)
    return calibrated, model


def _in_floats(section: StartSection, dataset: Dataset) -> nn.Module:
    place = Path(section.checkpoint)
    path = place / CHECKPOINTS / BEST if place.is_dir() else place
    name = read_run(path).recipe.model.name
    if not is_float(name):
        raise RecipeError(
            f"start.checkpoint is that of {name}, which is quantized: begin with a model in floats,"
            " such as CNV_FLOAT for CNV",
            "start.checkpoint",
        )
    try:
        return load_trained(path, dataset)
    except RuntimeError as error:
        raise TrainingError(
            f"{path} can't be a start: it was trained for other images or classes than those of"
            f" {dataset.name}"
        ) from error


def _check_same(model: nn.Module, start: nn.Module) -> None:
    """Refuse a start whose layers are not those of the model."""
    own = {name: weight.shape for name, weight in model.state_dict().items()}
    other = next(
        (name for name, weight in start.state_dict().items() if own.get(name) != weight.shape), None
    )
    if other is not None:
        raise RecipeError(
            f"start.checkpoint is that of another model, whose {other} is not in this one: give one"
            " of the same family and options",
            "start.checkpoint",
        )
    modules = dict(model.named_modules(remove_duplicate=False))
    for name, module in start.named_modules(remove_duplicate=False):
        if isinstance(module, torch.nn.ReLU) and not isinstance(modules[name], QuantReLU):
            raise RecipeError(
                f"{name} is a ReLU in the model in floats, and this one lets negative numbers"
                " through: use activations of the kind relu, dorefa, lsq or po2",
                "quantization",
            )


def _equalize(start: nn.Module, image: torch.Tensor) -> None:
    if not all(parameter.requires_grad for parameter in start.parameters()):
        raise RecipeError(
            "start.equalize would change filters that are fixed in this model: leave it out",
            "start.equalize",
        )
    with warnings.catch_warnings():
        # an optional kernel is missing, and what Brevitas thinks of its own tracer
        warnings.simplefilter("ignore")
        from brevitas.fx import value_trace
        from brevitas.graph.equalize import EqualizeGraph

        EqualizeGraph().apply(value_trace(start, (image,)))


def _limits(
    start: nn.Module, model: nn.Module, specs: Mapping[str, ActivationSpec], images: torch.Tensor
) -> dict[str, ActivationSpec]:
    """Return the specs of all quantizers that a recipe can name, with the ranges of ``images``."""
    # one that branches share has several names, of which a recipe can use one
    names = {
        module: name
        for name, module in model.named_modules(remove_duplicate=False)
        if name in specs and isinstance(module, QuantIdentity | QuantReLU)
    }
    quantizers = {name: module for module, name in names.items()}
    samples: dict[str, list[torch.Tensor]] = {name: [] for name in quantizers}
    hooks = [
        start.get_submodule(name).register_forward_hook(_keep(parts))
        for name, parts in samples.items()
    ]
    with torch.no_grad():
        for batch in images.split(_BATCH):  # type: ignore[no-untyped-call]
            start(batch)
    for hook in hooks:
        hook.remove()
    found = {}
    for name, module in quantizers.items():
        spec = specs[name]
        values = torch.cat(samples[name])
        limit = best_limit(values, spec.bits, signed=not isinstance(module, QuantReLU))
        # sums of branches may have a range that is a multiple of the spec's
        factor = round(_largest(module, spec) / spec.limit, 4)
        least, most = LIMITS
        # few digits, so that the recipe that is written gives the same again
        asked = min(max(float(f"{limit / factor:.4g}"), least), most)
        found[name] = replace(spec, limit=asked) if limit > 0 else spec
    return found


def best_limit(values: torch.Tensor, bits: int, *, signed: bool) -> float:
    """Return the largest value of the quantizer that changes ``values`` least; 0 if all are 0.

    The one with the least sum of squared errors, of those that are 1/64, ... 64/64 of the largest.
    """
    sizes = values.abs() if signed else values.clamp(min=0)
    if signed and bits == 1:
        # what is left of x are signs of one size
        return float(sizes.mean())
    levels = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    limits = [float(sizes.max()) * part / _PARTS for part in range(1, _PARTS + 1)]
    if not limits[-1]:
        return 0.0
    errors = [
        float(
            ((sizes * (levels / limit)).round().clamp(max=levels) * (limit / levels) - sizes)
            .double()
            .square()
            .sum()
        )
        for limit in limits
    ]
    return limits[min(range(_PARTS), key=errors.__getitem__)]


def _largest(quantizer: Any, spec: ActivationSpec) -> float:  # noqa: ANN401 (a layer of Brevitas)
    """Return the largest value of a quantizer as it is built."""
    if spec.kind is ActivationKind.PO2:
        # its scale is rounded up, and its range therefore not what was asked for
        return spec.limit
    scale = float(quantizer.act_quant.scale().detach().max())
    if spec.bits == 1:
        return scale
    is_signed = isinstance(quantizer, QuantIdentity)
    levels: int = 2 ** (spec.bits - is_signed) - 1
    return scale * levels


def _keep(parts: list[torch.Tensor]) -> Callable[[nn.Module, object, torch.Tensor], None]:
    def keep(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        values = values_of(output).flatten()
        parts.append(values[:: max(1, len(values) // _SAMPLES)].clone())

    return keep


def _with_limits(recipe: Recipe, limits: Mapping[str, ActivationSpec]) -> Recipe:
    before = recipe_quantization(recipe) or default_quantization(recipe.model.name)
    others = {k: v for k, v in before.activation_overrides.items() if k not in limits}
    # the last pattern that matches counts
    calibrated = replace(before, activation_overrides={**others, **limits})
    return replace(recipe, quantization=quantization_table(calibrated))


def _take_over(model: nn.Module, start: nn.Module) -> None:
    """Give the model the weights and statistics of its start, and let scales begin at them."""
    state = start.state_dict()
    with torch.no_grad():
        for name, values in (*model.named_parameters(), *model.named_buffers()):
            if name in state:
                values.copy_(state[name])
        bounds = {weight: bound for weight, bound in clipped_weights(model) if weight.requires_grad}
        for layer in _weighted(model):
            weight = layer.get_parameter("weight")
            if weight in bounds:
                factor = bounds[weight] / weight.abs().max().clamp(min=1e-30)
                for parameter in layer.parameters(recurse=False):
                    parameter.mul_(factor)
            # learned scales begin at what the weights are
            layer.weight_quant.init_tensor_quant()


def _weighted(model: nn.Module) -> list[Any]:
    return [layer for layer in model.modules() if hasattr(layer, "weight_quant")]


def _correct_biases(model: nn.Module, batches: tuple[torch.Tensor, ...]) -> None:
    if all(layer.bias is None for layer in _weighted(model)):
        return
    with warnings.catch_warnings():
        # an optional kernel is missing
        warnings.simplefilter("ignore")
        from brevitas.graph.calibrate import bias_correction_mode
    with torch.no_grad(), bias_correction_mode(model, skip_if_no_bias=True):
        for batch in batches:
            model(batch)
