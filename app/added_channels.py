"""Channels that a build's plan adds to those of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lutloom.build import Build


@dataclass(frozen=True, slots=True)
class AddedChannels:
    """A value, and what has its channels: ``model`` of them in the model, ``built`` in hardware."""

    value: str
    model: int
    built: int


def added_channels(build: Build) -> tuple[AddedChannels, ...]:
    """Return the values to which the plan of ``build`` adds channels, in the plan's order."""
    if not build.plan.channels:
        return ()
    from lutloom.codegen.channel_groups import channel_groups

    groups = channel_groups(build.processes)
    return tuple(
        AddedChannels(name, groups[name].channels, count)
        for name, count in build.plan.channels.items()
        if count > groups[name].channels
    )
