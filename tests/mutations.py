"""Damage at random: flipped bits, other bytes, and files that are sound and say nonsense."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from onnx import ModelProto

from lutloom.streamline.rule_table import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

_INTEGERS = (0, 1, -1, 2, 3, 7, 8, 127, 2**31 - 1, 2**31, -(2**31), 2**62, 2**63 - 1, -(2**63))
_FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e-30, 1e30, 3.4e38, np.nan, np.inf, -np.inf)
_WORDS = (
    *sorted({name for _, name in RULES}),
    "",
    "x",
    "k",
    "axis",
    "signed",
    "ai.onnx",
    "é",
    "\0",
)
_WHOLE = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64}
_REAL = {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE}


def flipped(data: bytes, bit: int) -> bytes:
    """Return ``data`` with one bit changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def mutated(data: bytes, seed: int) -> bytes:
    """Return the model in ``data`` with a few fields changed, or a few bytes."""
    random = np.random.default_rng(seed)
    if seed % 6 == 0:
        changed = bytearray(data)
        for position in random.integers(len(data), size=random.integers(1, 20)):
            changed[position] = random.integers(256)
        return bytes(changed)
    model = ModelProto.FromString(data)
    for _ in range(random.integers(1, 5)):
        _mutate(model, random)
    return bytes(model.SerializeToString())


def _mutate(model: ModelProto, random: np.random.Generator) -> None:
    """Change one field of one message of ``model``, to what may stand there."""
    messages = list(_messages(model))
    message = messages[random.integers(len(messages))]
    present = [field for field, _ in message.ListFields()]
    fields = present if present and random.random() < 0.85 else list(message.DESCRIPTOR.fields)
    if not fields:
        return
    field = fields[random.integers(len(fields))]
    what = random.integers(5)
    if what == 0 or (field.message_type is not None and not field.is_repeated):
        message.ClearField(field.name)
    elif not field.is_repeated:
        setattr(message, field.name, _value(model, field, random))
    else:
        _mutate_list(getattr(message, field.name), model, field, random)


def _mutate_list(
    entries: Any,  # noqa: ANN401 - protobuf's own containers
    model: ModelProto,
    field: FieldDescriptor,
    random: np.random.Generator,
) -> None:
    what = random.integers(4)
    if not len(entries):
        if field.message_type is None:
            entries.append(_value(model, field, random))
        return
    one, other = random.integers(len(entries), size=2)
    if what == 0:
        del entries[one]
    elif what == 1:
        entries.append(entries[one])
    elif field.message_type is None:
        entries[one] = _value(model, field, random)
    else:
        kept = type(entries[one])()
        kept.CopyFrom(entries[one])
        entries[one].CopyFrom(entries[other])
        entries[other].CopyFrom(kept)


def _messages(message: Message) -> Iterator[Message]:
    """Yield ``message`` and all messages in it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for entry in value if field.is_repeated else (value,):
                yield from _messages(entry)


def _value(model: ModelProto, field: FieldDescriptor, random: np.random.Generator) -> Any:  # noqa: ANN401
    """Return something that ``field`` may hold."""
    if field.enum_type is not None:
        values = field.enum_type.values
        return values[random.integers(len(values))].number
    if field.type in _WHOLE:
        number = _INTEGERS[random.integers(len(_INTEGERS))]
        if field.type == FieldDescriptor.TYPE_UINT64:
            return abs(number)
        small = field.type == FieldDescriptor.TYPE_INT32
        return max(-(2**31), min(2**31 - 1, number)) if small else number
    if field.type in _REAL:
        return _FLOATS[random.integers(len(_FLOATS))]
    if field.type == FieldDescriptor.TYPE_BYTES:
        numbers = np.array(random.choice(_FLOATS, size=random.integers(4)), dtype=np.float32)
        return (b"", b"CEIL", b"\xff" * 4, numbers.tobytes(), random.bytes(12))[random.integers(5)]
    names = [tensor.name for tensor in model.graph.initializer]
    names += [name for node in model.graph.node for name in node.output]
    words = (*names, *_WORDS)
    return words[random.integers(len(words))]
