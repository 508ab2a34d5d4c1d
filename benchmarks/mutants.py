"""Break the lowering in one place at a time, and name the test that notices.

    python benchmarks/mutants.py [--only NAME]

Each mutant changes one rounding, comparison, sign, axis or bound in a copy of the package, and runs
the tests of what it belongs to until the first failure. No test was written for a mutant. It
ends with status 1 if a mutant survives, or if its text is no longer in the source.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
_MOST_SECONDS = 900
_FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)

_LOWERING = tuple(
    f"tests/streamline/test_{name}.py"
    for name in ("rules", "pipeline", "exactness", "joins", "extremes", "dialects", "requantize")
)
_PASSES = ("tests/streamline/test_passes.py", *_LOWERING)
_ORDER = ("tests/streamline/test_value_order.py", *_LOWERING)
_CURVES = ("tests/streamline/test_curves.py", *_LOWERING)
_STAIRCASE = ("tests/streamline/test_staircase.py", *_LOWERING)
_IMAGES = (
    "tests/streamline/test_image_exactness.py",
    *(f"tests/streamline/test_{name}.py" for name in ("conv", "max_pool", "average_pool", "trunc")),
)
_WINDOWS = (
    *(f"tests/core/{name}" for name in ("test_windows.py", "ops")),
    "tests/codegen/test_lower.py",
    *_IMAGES,
)
_HARDWARE = ("tests/codegen/test_image_networks.py", "tests/codegen/kernels")
_BRANCHES = tuple(
    f"tests/streamline/test_{name}.py"
    for name in ("joins", "products", "concat", "resize", "branch_exactness")
)
_LINEAR_QUANTIZERS = (
    "tests/streamline/test_linear_quantizers.py",
    "tests/streamline/test_static_quantizer.py",
)
_MOVES = (
    "tests/codegen/test_lower.py",
    *(f"tests/codegen/kernels/test_{n}.py" for n in ("concat", "split", "upsample", "permute")),
    "tests/codegen/test_moves.py",
)
_REFERENCE = ("tests/core", "tests/sim/test_reference.py", *_PASSES)


@dataclass(frozen=True, slots=True)
class Mutant:
    """``old`` becomes ``new`` in ``file``; it stands there once."""

    name: str
    file: str
    old: str
    new: str
    tests: Sequence[str]


MUTANTS = (
    # Rounding
    Mutant(
        "half up for half even",
        "streamline/rounding.py",
        "Rounding.HALF_EVEN: lambda k: (k + _HALF, k % 2 == 1)",
        "Rounding.HALF_EVEN: lambda k: (k + _HALF, k >= 0)",
        _LOWERING,
    ),
    Mutant(
        "half up towards plus infinity",
        "streamline/rounding.py",
        "Rounding.HALF_UP: lambda k: (k + _HALF, k >= 0)",
        "Rounding.HALF_UP: lambda k: (k + _HALF, True)",
        _LOWERING,
    ),
    Mutant(
        "half down decided one level off",
        "streamline/rounding.py",
        "Rounding.HALF_DOWN: lambda k: (k + _HALF, k < 0)",
        "Rounding.HALF_DOWN: lambda k: (k + _HALF, k <= 0)",
        _LOWERING,
    ),
    Mutant(
        "integers rounded up by ceil",
        "streamline/rounding.py",
        "Rounding.CEIL: lambda k: (Fraction(k), False)",
        "Rounding.CEIL: lambda k: (Fraction(k), True)",
        _LOWERING,
    ),
    Mutant(
        "floor for rounding towards zero",
        "streamline/rounding.py",
        "(Fraction(k + 1), True) if k >= 0 else (Fraction(k), False)",
        "(Fraction(k + 1), True)",
        _LOWERING,
    ),
    Mutant(
        "half up for half even on the host",
        "core/host.py",
        "return np.round(y)",
        "return np.floor(y + np.float32(0.5))",
        ("tests/core", *_LOWERING),
    ),
    # Quantizers
    Mutant(
        "narrow ranges as wide as others",
        "streamline/rules/quant.py",
        "lo = -(2 ** (bits - 1)) + is_narrow if is_signed else 0",
        "lo = -(2 ** (bits - 1)) if is_signed else 0",
        _LOWERING,
    ),
    Mutant(
        "zero point of the wrong sign",
        "streamline/quantize.py",
        "isinstance(steps, WideSteps) else 0) - unit * zero_point",
        "isinstance(steps, WideSteps) else 0) + unit * zero_point",
        _LOWERING,
    ),
    Mutant(
        "sign of zero negative",
        "streamline/steps.py",
        "return Steps((Fraction(0),), (True,), first=-1, height=2)",
        "return Steps((Fraction(0),), (False,), first=-1, height=2)",
        _LOWERING,
    ),
    Mutant(
        "reachable levels cut one short",
        "streamline/quantize.py",
        "hi = max(min(quantizer.hi, most + 1), lo)",
        "hi = max(min(quantizer.hi, most - 1), lo)",
        _LOWERING,
    ),
    # Thresholds
    Mutant(
        "> for >= at a tie",
        "streamline/staircase.py",
        "return np.asarray(floor + 1 - (is_tie & ties_stay), dtype=object)",
        "return np.asarray(floor + 1, dtype=object)",
        _LOWERING,
    ),
    Mutant(
        "ties of falling staircases as of rising ones",
        "streamline/staircase.py",
        "np.broadcast_to(inclusive == rising, first.shape)",
        "np.broadcast_to(inclusive, first.shape)",
        _LOWERING,
    ),
    Mutant(
        "an ignored negative slope",
        "streamline/staircase.py",
        "heights = np.broadcast_to(np.where(rising, height, -height), live.shape)",
        "heights = np.broadcast_to(height, live.shape)",
        _LOWERING,
    ),
    Mutant(
        "no margin around an integer",
        "streamline/staircase.py",
        "2.0**-49 * size + tiny",
        "0.0 * size",
        _STAIRCASE,
    ),
    Mutant(
        "rows filled with a threshold that is reached",
        "streamline/rows.py",
        "min(highest + 1, INT64_MAX)",
        "min(highest, INT64_MAX)",
        _STAIRCASE,
    ),
    Mutant(
        "a step at the upper clamp counted in",
        "streamline/steps.py",
        "end = len(self.boundaries) if upper is None else self.taken_by(upper)",
        "end = len(self.boundaries)",
        _LOWERING,
    ),
    # Scales and biases
    Mutant(
        "bounds of a clamp not turned round",
        "streamline/scaling.py",
        "return (ends[1], ends[0]) if scale < 0 else (ends[0], ends[1])",
        "return ends[0], ends[1]",
        _LOWERING,
    ),
    Mutant(
        "an ignored negative gamma",
        "streamline/rules/batch_norm.py",
        "return -root if numerator < 0 else root",
        "return root",
        _LOWERING,
    ),
    Mutant(
        "the mean added instead of subtracted",
        "streamline/rules/batch_norm.py",
        "shift = np.asarray(exact[1] - exact[2] * factor)",
        "shift = np.asarray(exact[1] + exact[2] * factor)",
        _LOWERING,
    ),
    Mutant(
        "batch normalization without epsilon",
        "streamline/rules/batch_norm.py",
        "squares = exact[3] + epsilon",
        "squares = exact[3] + 0",
        _LOWERING,
    ),
    Mutant(
        "biases of the input lost in a product",
        "streamline/weighted_sum.py",
        "(total.astype(object) * unit * columns)",
        "(total.astype(object) * 0 * unit * columns)",
        _LOWERING,
    ),
    Mutant(
        "beta of a Gemm ignored",
        "streamline/rules/linear.py",
        "np.asarray(bias * beta)",
        "np.asarray(bias * 1)",
        _LOWERING,
    ),
    # Axes
    Mutant(
        "a reshape in the order of the value",
        "streamline/layout.py",
        "        x = reordered(build, node, x, (*ones, *wanted))",
        "        pass",
        _ORDER,
    ),
    Mutant(
        "channels of thresholds on the wrong axis",
        "streamline/rules/multi_threshold.py",
        'axis = max(layout.find("C"), 1) - 1',
        "axis = len(x.shape) - 1",
        _LOWERING,
    ),
    Mutant(
        "weights permuted the other way",
        "streamline/value_order.py",
        "places = np.argsort(origin)",
        "places = origin",
        _ORDER,
    ),
    # Passes
    Mutant(
        "nodes equal whatever they read",
        "streamline/passes/merge_equal.py",
        "first.setdefault((node.op, inputs), node)",
        "first.setdefault((node.op, inputs[:1]), node)",
        _PASSES,
    ),
    Mutant(
        "an identity if one value stays",
        "streamline/passes/remove_identity.py",
        "return bool((levels[:, 0] == values).all())",
        "return bool((levels[:, 0] == values).any())",
        _PASSES,
    ),
    # Ranges and the reference
    Mutant(
        "accumulators that forget negative weights",
        "core/sums.py",
        "lows = [p * x.lo + n * x.hi for p, n in pairs]",
        "lows = [p * x.lo + n * x.lo for p, n in pairs]",
        _REFERENCE,
    ),
    Mutant(
        "parity where weights have none",
        "core/sums.py",
        "return type_of_sums(lows, highs, x.step * self.divisor if x.count > 1 else 0)",
        "return type_of_sums(lows, highs, x.step * 2 * self.divisor if x.count > 1 else 0)",
        _REFERENCE,
    ),
    Mutant(
        "float32 beyond 2^24",
        "core/exact.py",
        "_FLOAT32_EXACT, _FLOAT64_EXACT = 2**24, 2**53",
        "_FLOAT32_EXACT, _FLOAT64_EXACT = 2**26, 2**53",
        _REFERENCE,
    ),
    Mutant(
        "> for >= in the reference",
        "core/ops/threshold.py",
        "y += heights[:, step] * (x >= self.thresholds.int64[:, step])",
        "y += heights[:, step] * (x > self.thresholds.int64[:, step])",
        _REFERENCE,
    ),
    Mutant(
        "levels that no input sees in the type",
        "core/ops/threshold.py",
        "first[:, :-1] < below",
        "first[:, :-1] <= below",
        _REFERENCE,
    ),
    Mutant(
        "ties of top-k to the highest index",
        "core/ops/top_k.py",
        'np.argsort(~x, axis=-1, kind="stable")[..., : self.k]',
        'np.argsort(x, axis=-1, kind="stable")[..., ::-1][..., : self.k]',
        _REFERENCE,
    ),
    Mutant(
        "the first multiplier for all branches",
        "core/ops/add.py",
        "y = y + row * x",
        "y = y + self.multipliers.int64[0] * x",
        _REFERENCE,
    ),
    # Functions and wide activations
    Mutant(
        "an open end that has passed its boundary",
        "streamline/curve_steps.py",
        "most = np.where(y.hi_open, left, left + sums[right] - sums[left])",
        "most = left",
        _CURVES,
    ),
    Mutant(
        "ties of a product and shift rounded up",
        "core/multiply_shift.py",
        "return np.asarray(levels - ~rest * (levels % 2))",
        "return levels",
        ("tests/streamline/test_requantize.py", *_REFERENCE),
    ),
    # Windows
    Mutant(
        "the first pixel masked",
        "core/windows.py",
        "is_there = (gap == 0) & (pixel >= 0) & (pixel < image[axis])",
        "is_there = (gap == 0) & (pixel > 0) & (pixel < image[axis])",
        _WINDOWS,
    ),
    Mutant(
        "an ignored dilation",
        "core/windows.py",
        "np.divmod(starts + self.dilation[axis] * tap, self.spacing[axis])",
        "np.divmod(starts + tap, self.spacing[axis])",
        _WINDOWS,
    ),
    Mutant(
        "the stride of the wrong axis",
        "core/windows.py",
        "starts = self.stride[axis] * np.arange(self.results(image)[axis])",
        "starts = self.stride[-1 - axis] * np.arange(self.results(image)[axis])",
        _WINDOWS,
    ),
    Mutant(
        "padding read as one less",
        "core/windows.py",
        "x = np.pad(x, widths, constant_values=fill)",
        "x = np.pad(x, widths, constant_values=fill - 1)",
        _WINDOWS,
    ),
    Mutant(
        "classes of windows that begin between two pixels alike",
        "core/windows.py",
        "phase = starts % spacing if size > 1 else 0 * starts",
        "phase = 0 * starts",
        _WINDOWS,
    ),
    Mutant(
        "padding of a max pool as zero",
        "core/ops/max_pool.py",
        "views = tap_views(x, self.windows, int(np.iinfo(np.int64).min))",
        "views = tap_views(x, self.windows, 0)",
        _WINDOWS,
    ),
    Mutant(
        "sums of whole windows only in the type",
        "core/ops/sum_pool.py",
        "lows, highs = ([count * end for count in counts] for end in",
        "lows, highs = ([count * end for count in counts[-1:]] for end in",
        _WINDOWS,
    ),
    Mutant(
        "sums at the border without their padding in the type",
        "core/sums.py",
        "border = (total - above - below) * fill",
        "border = (total - above - below) * 0",
        _WINDOWS,
    ),
    Mutant(
        "groups inside of taps",
        "core/ops/window.py",
        "return (split.swapaxes(-2, -3).reshape(*leading, taps * channels),)",
        "return (split.reshape(*leading, taps * channels),)",
        _WINDOWS,
    ),
    Mutant(
        "the border of the wrong sign",
        "codegen/lower.py",
        "(~masks).astype(np.int64) @ sums * (op.fill - shown)",
        "(~masks).astype(np.int64) @ sums * (shown - op.fill)",
        _WINDOWS,
    ),
    Mutant(
        "rows of the border taken for its columns",
        "core/ops/matvec.py",
        "y = y + self.border.int64[rows, places]",
        "y = y + self.border.int64[places * 0, rows * 0 + places]",
        _WINDOWS,
    ),
    # Convolutions
    Mutant(
        "an odd pad on the wrong side",
        "streamline/window_attributes.py",
        "befores[axis] = total // 2 if how == _SAME_UPPER else total - total // 2",
        "befores[axis] = total // 2",
        _IMAGES,
    ),
    Mutant(
        "a window of ceil_mode that begins behind the image",
        "streamline/window_attributes.py",
        "if (results - 1) * strides[axis] >= size + before:",
        "if (results - 1) * strides[axis] >= size + before + behind:",
        _IMAGES,
    ),
    Mutant(
        "zero points ignored in the padding",
        "streamline/rules/conv.py",
        "fill = zero if is_masking and zero is not None else 0",
        "fill = 0",
        _IMAGES,
    ),
    Mutant(
        "padding with the offset of the pixels",
        "streamline/rules/conv.py",
        "padding = rationals([0]) if is_masking and zero is None else None",
        "padding = None",
        _IMAGES,
    ),
    Mutant(
        "a scale for the wrong group",
        "streamline/weighted_sum.py",
        "units[index // outputs] * t",
        "units[index % self.groups] * t",
        _IMAGES,
    ),
    Mutant(
        "a transposed kernel that is not mirrored",
        "streamline/rules/conv_transpose.py",
        "(slice(None, None, -1),) * len(kernel)",
        "(slice(None),) * len(kernel)",
        _IMAGES,
    ),
    Mutant(
        "groups of a transposed convolution inside of its filters",
        "streamline/rules/conv_transpose.py",
        "order = (*range(3, split.ndim), 1, 0, 2)",
        "order = (*range(3, split.ndim), 1, 2, 0)",
        _IMAGES,
    ),
    # Pools
    Mutant(
        "an ignored count_include_pad",
        "streamline/rules/average_pool.py",
        'pads = pads_of(node, kernel, image) if node.integer("count_include_pad", 0) else None',
        "pads = None",
        _IMAGES,
    ),
    Mutant(
        "what hangs over counted as padding",
        "streamline/rules/average_pool.py",
        "return np.asarray((starts[:, None] + taps < end).sum(axis=1))",
        "return np.asarray((starts[:, None] + taps <= end).sum(axis=1))",
        _IMAGES,
    ),
    Mutant(
        "the largest of what falls",
        "streamline/pending_pool.py",
        "return np.asarray(signs < 0)",
        "return np.asarray(signs < -2)",
        _IMAGES,
    ),
    Mutant(
        "no first rounding of a Trunc",
        "streamline/rules/trunc.py",
        "return Steps(tuple(m - _HALF for m in first), tuple(m % 2 == 0 for m in first), lo, 1)",
        "return Steps(tuple(Fraction(m) for m in first), (True,) * len(first), lo, 1)",
        _IMAGES,
    ),
    Mutant(
        "the power of two below for the nearest",
        "streamline/rules/trunc.py",
        "exponent + (ratio * ratio > Fraction(2) ** (2 * exponent + 1))",
        "exponent",
        _IMAGES,
    ),
    # Kernels in C++
    Mutant(
        "a column behind the image",
        "hls_templates/include/lutloom/line_buffer.hpp",
        "column.pixel < Columns::kSize + OVERHANG",
        "column.pixel <= Columns::kSize + OVERHANG",
        _HARDWARE,
    ),
    Mutant(
        "a stride that forgets where between two pixels it began",
        "hls_templates/include/lutloom/line_buffer.hpp",
        "phase = int(phase) + kPhases - (is_carry ? Axis::kSpacing : 0);",
        "phase = kPhases;",
        _HARDWARE,
    ),
    Mutant(
        "masked taps of a largest as what lies in memory",
        "hls_templates/include/lutloom/pool.hpp",
        "buffer.is_masked() ? masked : get_lane",
        "false ? masked : get_lane",
        _HARDWARE,
    ),
    Mutant(
        "a window of a pool that never begins anew",
        "hls_templates/include/lutloom/pool.hpp",
        "buffer.is_first() ? start : results[lane]",
        "false ? start : results[lane]",
        _HARDWARE,
    ),
    Mutant(
        "weights of a depthwise sum that run on",
        "hls_templates/include/lutloom/depthwise.hpp",
        "reader.next(is_window_done);",
        "reader.next(false);",
        _HARDWARE,
    ),
    Mutant(
        "a product without what the second factor's offset adds",
        "hls_templates/include/lutloom/multiply.hpp",
        "start + term_a + term_b + term_both",
        "start + term_b + term_both",
        ("tests/codegen/kernels/test_multiply.py",),
    ),
    Mutant(
        "rows of a matrix in the bank beside theirs",
        "hls_templates/include/lutloom/matmul.hpp",
        "if (bank == lane) {",
        "if (PE - 1 - bank == lane) {",
        ("tests/codegen/kernels/test_matmul.py",),
    ),
    Mutant(
        "a second matrix that is kept for the next product",
        "hls_templates/include/lutloom/matmul.hpp",
        "is_stored = !is_product_done;",
        "is_stored = true;",
        ("tests/codegen/kernels/test_matmul.py",),
    ),
    Mutant(
        "rows that are looked up from the lowest code of their width",
        "hls_templates/include/lutloom/lookup.hpp",
        "In(bits) - FIRST",
        "In(bits)",
        ("tests/codegen/kernels/test_lookup.py",),
    ),
    Mutant(
        "levels of the channels of another fold",
        "hls_templates/include/lutloom/threshold_table.hpp",
        "levels[lane][table_fold][place]",
        "levels[lane][FOLDS - 1 - table_fold][place]",
        ("tests/codegen/kernels/test_threshold.py",),
    ),
    Mutant(
        "packed weights that count from 0, not from the least one",
        "hls_templates/include/lutloom/packed.hpp",
        "(cut, lane) + missing",
        "(cut, lane)",
        ("tests/codegen/kernels/test_packed.py",),
    ),
    Mutant(
        "packed codes that count from 0, not from the least one",
        "codegen/kernels/sums.py",
        "return -self.factor * least_code(self.x) * totals",
        "return 0 * totals",
        ("tests/codegen/kernels/test_packed.py",),
    ),
    Mutant(
        "packed codes of which all but the last are above the least one",
        "hls_templates/include/lutloom/packed.hpp",
        "IS_SIGNED && lane < N",
        "IS_SIGNED && lane + 1 < N",
        ("tests/codegen/kernels/test_packed.py",),
    ),
    Mutant(
        "agreeing lanes that don't count weights of -1",
        "codegen/kernels/matmul.py",
        "start, of_b = exact.start - factor * terms, exact.of_b + factor",
        "start, of_b = exact.start, exact.of_b",
        ("tests/codegen/kernels/test_matmul.py",),
    ),
    # Branches: operators, rules and C++
    Mutant(
        "parts of a split one element late",
        "core/ops/slice.py",
        "slice(self.start, self.stop),)",
        "slice(self.start + 1, self.stop + 1),)",
        _REFERENCE,
    ),
    Mutant(
        "tiled for repeated in an upsampling",
        "core/ops/upsample.py",
        "x = x.repeat(factor, axis=axis)",
        "x = np.concatenate([x] * factor, axis=axis)",
        _REFERENCE,
    ),
    Mutant(
        "products typed by their ends' parity",
        "core/sums.py",
        "gcd(s * b.lo, t * a.lo, s * t)",
        "gcd(s * b.lo, t * a.lo)",
        _REFERENCE,
    ),
    Mutant(
        "parts that touch taken for parts that overlap not at all",
        "codegen/splits.py",
        "if s[-1].op.stop <= part.op.start",
        "if s[-1].op.start <= part.op.start",
        _MOVES,
    ),
    Mutant(
        "a product that forgets the second offset",
        "streamline/rules/product.py",
        "for own, other in ((x, y), (y, x)):",
        "for own, other in ((x, y),):",
        _BRANCHES,
    ),
    Mutant(
        "a difference that adds its offset",
        "streamline/rules/join.py",
        "offsets.append(np.asarray(shift * factor))",
        "offsets.append(np.asarray(shift))",
        _BRANCHES,
    ),
    Mutant(
        "a sum of a value and itself counted once",
        "streamline/rules/join.py",
        "factors[name] = np.asarray(factors.get(name, 0) + own * factor)",
        "factors[name] = np.asarray(own * factor)",
        _BRANCHES,
    ),
    Mutant(
        "floor for rounding the nearest pixel",
        "streamline/rules/resize.py",
        "return lambda y: rounded((y + _HALF) / scale - _HALF)",
        "return lambda y: floor((y + _HALF) / scale - _HALF)",
        _BRANCHES,
    ),
    Mutant(
        "a common scale without the difference of biases",
        "streamline/one_scale.py",
        "offset = np.asarray(x.offset - unit * shift, dtype=object)",
        "offset = np.asarray(x.offset, dtype=object)",
        _BRANCHES,
    ),
    Mutant(
        "a zero point taken with the wrong sign",
        "streamline/rules/linear_quantizers.py",
        "np.asarray(-scale * zero_point)",
        "np.asarray(scale * zero_point)",
        _LINEAR_QUANTIZERS,
    ),
    Mutant(
        "the range of int8 one level wider",
        "streamline/linear_quantizers.py",
        "lo, hi = int(np.iinfo(self.dtype).min), int(np.iinfo(self.dtype).max)",
        "lo, hi = int(np.iinfo(self.dtype).min), int(np.iinfo(self.dtype).max) + 1",
        _LINEAR_QUANTIZERS,
    ),
    Mutant(
        "a join that ends one word early (C++)",
        "hls_templates/include/lutloom/concat.hpp",
        "if (index < First::kEnd) {",
        "if (index < First::kEnd - 1) {",
        _MOVES,
    ),
    Mutant(
        "a split that drops the first word of a part (C++)",
        "hls_templates/include/lutloom/split.hpp",
        "if (index >= First::kBegin && index < First::kEnd) {",
        "if (index > First::kBegin && index < First::kEnd) {",
        _MOVES,
    ),
    Mutant(
        "an upsampling that takes the last word for the kept one (C++)",
        "hls_templates/include/lutloom/upsample.hpp",
        "const bool is_recent = DEPTH == 1 || repeat[LEVELS - 1] != 0;",
        "const bool is_recent = true;",
        _MOVES,
    ),
    Mutant(
        "a transposition whose slots do not wrap (C++)",
        "hls_templates/include/lutloom/permute.hpp",
        "slot = next >= DEPTH ? int(next) - DEPTH : int(next);",
        "slot = next > DEPTH ? int(next) - DEPTH : int(next);",
        _MOVES,
    ),
    Mutant(
        "a matrix product that starts from the row before (C++)",
        "hls_templates/include/lutloom/matmul.hpp",
        "const ap_uint<OUT_BITS> before = column == 0 ? start : start_so_far;",
        "const ap_uint<OUT_BITS> before = column == 0 && bank == 0 ? start : start_so_far;",
        ("tests/codegen/kernels/test_matmul.py",),
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant: the test that failed, or None."""

    mutant: Mutant
    killer: str | None
    seconds: float
    problem: str = ""


def copy_package(directory: Path) -> None:
    """Copy what the tests need into ``directory``, importable from there as ``lutloom``."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages: dict[str, str] = settings["tool"]["setuptools"]["package-dir"]
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for folder in {*(Path(path).parts[0] for path in packages.values()), "docs", "tests"}:
        shutil.copytree(ROOT / folder, directory / folder, ignore=ignored)
    for file in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(ROOT / file, directory / file)
    top = directory / "lutloom"
    top.mkdir()
    for entry in (directory / packages["lutloom"]).iterdir():
        (top / entry.name).symlink_to(entry)
    for package, path in packages.items():
        parts = package.split(".")[1:]
        if len(parts) == 1:
            (top / parts[0]).symlink_to(directory / path)


def run_tests(directory: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run ``tests`` until the first failure; return pytest's status and what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(directory),
        # Two texts of one length, written within a second, would share their byte code.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    try:
        ended = subprocess.run(
            [*command, *tests],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, f"no failure within {_MOST_SECONDS} s"
    return ended.returncode, ended.stdout + ended.stderr


def judge(mutant: Mutant, directory: Path) -> Outcome:
    """Apply ``mutant`` to the copy in ``directory``, run its tests, and take it back."""
    path = directory / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        found = text.count(mutant.old)
        return Outcome(mutant, None, 0.0, f"its text stands {found} times in {mutant.file}")
    started = time.perf_counter()
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        status, printed = run_tests(directory, mutant.tests)
    finally:
        path.write_text(text, encoding="utf-8")
    seconds = time.perf_counter() - started
    failed = _FAILED.search(printed)
    if status == 1 and failed:
        return Outcome(mutant, failed[1], seconds)
    problem = "it survives" if status == 0 else printed.strip()[-400:]
    return Outcome(mutant, None, seconds, problem)


def main() -> None:
    """Print a table of mutants and of the tests that killed them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="mutants whose name holds this")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if arguments.only in mutant.name]
    # Names of tests are long: none is cut off where nobody looks at a terminal.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        copy_package(directory)
        outcomes = []
        for mutant in chosen:
            outcome = judge(mutant, directory)
            outcomes.append(outcome)
            verdict = outcome.killer or f"NOT KILLED: {outcome.problem}"
            console.print(f"{mutant.name}: {verdict} ({outcome.seconds:.0f} s)", soft_wrap=True)
        alive = [outcome for outcome in outcomes if outcome.killer is None]
        # Those were killed by what they changed only if the rest passes without a change.
        killers = sorted({outcome.killer.split("[")[0] for outcome in outcomes if outcome.killer})
        status, printed = run_tests(directory, killers) if killers else (0, "")
    table = Table("mutant", "in", "killed by", "s", box=None)
    for outcome in outcomes:
        killer = (outcome.killer or "NOT KILLED").removeprefix("tests/")
        table.add_row(outcome.mutant.name, outcome.mutant.file, killer, f"{outcome.seconds:.0f}")
    console.print(table)
    if status:
        failed = _FAILED.search(printed)
        what = failed[1] if failed else printed.strip()[-400:]
        sys.exit(f"the tests fail without a mutant too: {what}")
    if alive:
        sys.exit(f"{len(alive)} of {len(chosen)} mutants survive")
    console.print(f"all {len(chosen)} mutants are killed")


if __name__ == "__main__":
    main()
