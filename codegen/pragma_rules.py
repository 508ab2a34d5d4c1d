"""The grammar of ``#pragma HLS``: names, options, values, and where each pragma may stand.

Facts of UG1399 and of the tool's open C++ front end, restricted to what every version from 2022.2
on accepts: an option that a later version added is unknown here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Place(Enum):
    """The block that a pragma must stand in, directly."""

    LOOP = "directly inside a loop"
    LOOP_OR_FUNCTION = "directly inside a loop or the body of a function"
    FUNCTION = "directly inside the body of a function"
    FUNCTION_START = "at the start of the body of a function"
    TOP = "directly inside the body of the top function"
    BODY = "inside the body of a function"


class Subject(Enum):
    """What a pragma's ``variable`` must be."""

    ARRAY = "an array"
    STREAM = "a stream"
    STORAGE = "an array or a stream"
    VALUE = "a variable that is no stream"
    STATIC = "a static variable"
    PARAMETER = "a parameter of the function"
    ANY = "a variable"


@dataclass(frozen=True)
class Integer:
    """An option that takes an integer constant of at least ``minimum``."""

    minimum: int


@dataclass(frozen=True)
class Choice:
    """An option that takes one of ``words``; ``bare``: the word alone, without ``name=``, too."""

    words: tuple[str, ...]
    bare: bool = False


@dataclass(frozen=True)
class Word:
    """An option that takes a name of the user's own choice."""


@dataclass(frozen=True)
class Named:
    """An option that names a variable, or a port."""


Option = Integer | Choice | Word | Named


@dataclass(frozen=True)
class Rule:
    """A pragma: its options, its flags, those that it must have, and where it stands."""

    place: Place
    subject: Subject = Subject.ANY
    options: Mapping[str, Option] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()


STORAGE_IMPLEMENTATIONS: Mapping[str, tuple[str, ...]] = {
    "fifo": ("bram", "lutram", "memory", "srl", "uram"),
    "ram_1p": ("auto", "bram", "lutram", "uram"),
    "ram_1wnr": ("auto", "bram", "lutram", "uram"),
    "ram_2p": ("auto", "bram", "lutram", "uram"),
    "ram_s2p": ("bram", "bram_ecc", "lutram", "uram", "uram_ecc"),
    "ram_t2p": ("bram", "uram"),
    "rom_1p": ("auto", "bram", "lutram"),
    "rom_2p": ("auto", "bram", "lutram"),
    "rom_np": ("bram", "lutram"),
}
"""Each type of ``bind_storage``, and the implementations that exist of it."""

OPERATOR_IMPLEMENTATIONS: Mapping[str, tuple[str, ...]] = {
    "add": ("dsp", "fabric"),
    "mul": ("dsp", "fabric"),
    "sub": ("dsp", "fabric"),
}
"""Each integer operator of ``bind_op``, and its implementations: generated code has no floats."""

MAXIMUM_LATENCY = {"bind_op": 4, "bind_storage": 3}
"""The longest latency that an implementation offers, in cycles (-1 leaves it to the tool)."""

_SCALAR: Mapping[str, Option] = {"depth": Integer(0), "latency": Integer(0)}
_HANDSHAKE: Mapping[str, Option] = {**_SCALAR, "interrupt": Integer(16)}
_MEMORY: Mapping[str, Option] = {
    "depth": Integer(1),
    "latency": Integer(-1),
    "storage_type": Word(),
}
INTERFACE_OPTIONS: Mapping[str, Mapping[str, Option]] = {
    "axis": {
        "register_mode": Choice(("forward", "reverse", "both", "off"), bare=True),
        "depth": Integer(1),
    },
    "s_axilite": {
        "bundle": Word(),
        "offset": Integer(0),
        "clock": Word(),
        "storage_impl": Choice(("auto", "bram", "uram")),
    },
    "m_axi": {
        "bundle": Word(),
        "depth": Integer(1),
        "offset": Choice(("off", "direct", "slave")),
        "num_read_outstanding": Integer(1),
        "num_write_outstanding": Integer(1),
        "max_read_burst_length": Integer(1),
        "max_write_burst_length": Integer(1),
        "max_widen_bitwidth": Integer(0),
        "latency": Integer(0),
        "channel": Integer(0),
    },
    "ap_memory": _MEMORY,
    "bram": _MEMORY,
    "ap_none": _SCALAR,
    "ap_fifo": _SCALAR,
    "ap_ack": _SCALAR,
    "ap_vld": _SCALAR,
    "ap_stable": _SCALAR,
    "ap_hs": _HANDSHAKE,
    "ap_ovld": _HANDSHAKE,
    "ap_ctrl_none": {},
    "ap_ctrl_hs": {},
    "ap_ctrl_chain": {},
}
"""Each mode of an interface, and the options that go with it."""

INTERFACE_FLAGS: Mapping[str, frozenset[str]] = {
    mode: frozenset({"register"})
    for mode in ("axis", "ap_none", "ap_fifo", "ap_ack", "ap_vld", "ap_ovld", "ap_stable", "ap_hs")
}
"""The modes whose signals can be registered."""

_SHAPES = Choice(("block", "cyclic", "complete"), bare=True)
_PARTITION: Mapping[str, Option] = {
    "variable": Named(),
    "type": _SHAPES,
    "factor": Integer(1),
    "dim": Integer(0),
}

RULES: Mapping[str, Rule] = {
    "aggregate": Rule(
        Place.BODY,
        Subject.ANY,
        {"variable": Named(), "compact": Choice(("bit", "byte", "none", "auto"))},
        required=("variable",),
    ),
    "allocation": Rule(
        Place.BODY,
        options={
            "type": Choice(("function", "operation"), bare=True),
            "instances": Word(),
            "limit": Integer(1),
        },
        required=("instances", "limit"),
    ),
    "array_partition": Rule(Place.BODY, Subject.ARRAY, _PARTITION, required=("variable",)),
    "array_reshape": Rule(
        Place.BODY, Subject.ARRAY, _PARTITION, frozenset({"object"}), ("variable",)
    ),
    "bind_op": Rule(
        Place.BODY,
        Subject.VALUE,
        {
            "variable": Named(),
            "op": Choice(tuple(OPERATOR_IMPLEMENTATIONS)),
            "impl": Choice(("dsp", "fabric")),
            "latency": Integer(-1),
        },
        required=("variable", "op"),
    ),
    "bind_storage": Rule(
        Place.BODY,
        Subject.STORAGE,
        {
            "variable": Named(),
            "type": Choice(tuple(STORAGE_IMPLEMENTATIONS)),
            "impl": Choice(
                ("auto", "bram", "bram_ecc", "lutram", "memory", "srl", "uram", "uram_ecc")
            ),
            "latency": Integer(-1),
        },
        required=("variable", "type"),
    ),
    "dataflow": Rule(Place.FUNCTION_START, flags=frozenset({"disable_start_propagation"})),
    "dependence": Rule(
        Place.LOOP_OR_FUNCTION,
        Subject.ARRAY,
        {
            "variable": Named(),
            "class": Choice(("array", "pointer"), bare=True),
            "type": Choice(("intra", "inter"), bare=True),
            "direction": Choice(("raw", "war", "waw"), bare=True),
            "dependent": Choice(("true", "false"), bare=True),
            "distance": Integer(1),
        },
    ),
    "disaggregate": Rule(Place.BODY, Subject.ANY, {"variable": Named()}, required=("variable",)),
    "expression_balance": Rule(Place.BODY, flags=frozenset({"off"})),
    "function_instantiate": Rule(
        Place.FUNCTION, Subject.PARAMETER, {"variable": Named()}, required=("variable",)
    ),
    "inline": Rule(Place.FUNCTION, flags=frozenset({"off", "recursive"})),
    "interface": Rule(
        Place.TOP,
        Subject.PARAMETER,
        {
            "port": Named(),
            "mode": Choice(tuple(INTERFACE_OPTIONS), bare=True),
            "name": Word(),
        },
        required=("port", "mode"),
    ),
    "latency": Rule(Place.BODY, options={"min": Integer(0), "max": Integer(0)}),
    "loop_flatten": Rule(Place.LOOP, flags=frozenset({"off"})),
    "loop_merge": Rule(Place.BODY, flags=frozenset({"force"})),
    "loop_tripcount": Rule(
        Place.LOOP,
        options={"min": Integer(0), "max": Integer(0), "avg": Integer(0)},
        required=("max",),
    ),
    "occurrence": Rule(Place.BODY, options={"cycle": Integer(1)}),
    "performance": Rule(
        Place.LOOP_OR_FUNCTION, options={"target_ti": Integer(1), "target_tl": Integer(1)}
    ),
    "pipeline": Rule(
        Place.LOOP_OR_FUNCTION,
        options={"ii": Integer(1), "style": Choice(("stp", "flp", "frp"))},
        flags=frozenset({"off", "rewind"}),
    ),
    "protocol": Rule(Place.BODY, options={"mode": Choice(("floating", "fixed"), bare=True)}),
    "reset": Rule(
        Place.BODY,
        Subject.STATIC,
        {"variable": Named()},
        frozenset({"off"}),
        ("variable",),
    ),
    "stable": Rule(
        Place.FUNCTION, Subject.PARAMETER, {"variable": Named()}, required=("variable",)
    ),
    "stream": Rule(
        Place.BODY,
        Subject.STREAM,
        {
            "variable": Named(),
            "depth": Integer(1),
            "type": Choice(("fifo", "pipo", "shared", "unsync")),
        },
        required=("variable", "depth"),
    ),
    "top": Rule(Place.FUNCTION, options={"name": Word()}),
    "unroll": Rule(
        Place.LOOP, options={"factor": Integer(1)}, flags=frozenset({"skip_exit_check"})
    ),
}
"""Every pragma that may be written, by its name in lower case."""

DEAD: Mapping[str, str] = {
    "array_map": "gone since Vitis HLS 2020.1: pack the arrays by hand",
    "data_pack": "of Vivado HLS: write aggregate",
    "resource": "of Vivado HLS: write bind_storage for memories, bind_op for operators",
    "shared": "deprecated: write stream with type=shared",
}
"""Pragmas that the tool once knew, and what took their place."""

DEAD_OPTIONS: Mapping[tuple[str, str], str] = {
    ("pipeline", "enable_flush"): "write style=flp",
    ("stream", "off"): "write type=pipo",
    ("stream", "dim"): "it has no effect",
    ("inline", "region"): "leave it out",
}
"""Options that the tool once knew, and what to write instead."""
