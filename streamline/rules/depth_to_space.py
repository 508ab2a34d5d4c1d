"""DepthToSpace and SpaceToDepth: channels as blocks of pixels, and back.

``reshape(transpose(reshape(x)))``, as the standard writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.context import required_formula
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reshaped, transposed
from lutloom.streamline.take import behind

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula, Symbol


def depth_to_space(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return ``[C / b^2, H b, W b]`` of ``[C, H, W]``.

    Raises ``ModelError`` where the channels are no blocks.
    """
    x, block = _image(node, inputs)
    channels, height, width = x.shape
    if channels % block**2:
        raise ModelError(
            f"{node}: {channels} channels are no blocks of {block} by {block}: export the model"
            " again"
        )
    left = channels // block**2
    mode = node.text("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise ModelError(f"{node}: its mode '{mode}' should be DCR or CRD")
    apart, order = ((block, block, left), (2, 3, 0, 4, 1))
    if mode == "CRD":
        apart, order = ((left, block, block), (0, 3, 1, 4, 2))
    build = context.build
    y = transposed(reshaped(build, node, x, (*apart, height, width)), order)
    return behind(node, x, reshaped(build, node, y, (left, height * block, width * block)))


def space_to_depth(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return ``[C b^2, H / b, W / b]`` of ``[C, H, W]``.

    Raises ``ModelError`` where the pixels are no blocks.
    """
    x, block = _image(node, inputs)
    channels, height, width = x.shape
    if height % block or width % block:
        raise ModelError(
            f"{node}: {height} by {width} pixels are no blocks of {block} by {block}: resize the"
            " image"
        )
    apart = (channels, height // block, block, width // block, block)
    build = context.build
    y = transposed(reshaped(build, node, x, apart), (2, 4, 0, 1, 3))
    shape = (channels * block**2, height // block, width // block)
    return behind(node, x, reshaped(build, node, y, shape))


def _image(node: SourceNode, inputs: Inputs) -> tuple[Formula, int]:
    x = required_formula(node, inputs, 0, "a rearrangement of pixels")
    block = node.integer("blocksize", 0)
    if len(x.shape) != 3 or block < 1:
        raise ModelError(
            f"{node} makes blocks of {block} pixels of data of the shape {['N', *x.shape]}, which"
            " should be [N, C, H, W] and a positive size; export the model again"
        )
    return x, block
