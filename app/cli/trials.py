"""What ``lutloom train`` does before or in place of a training, and which options that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.errors import LutloomError

if TYPE_CHECKING:
    import typer

_MODEL = {"recipe", "data", "seed", "set_", "download"}
_USES = {
    "check_only": {*_MODEL, "board", "target_fps", "clock_mhz"},
    "overfit_batch": {*_MODEL, "batch_size", "lr"},
    "find_lr": {*_MODEL, "batch_size", "augmentation"},
}
"""By the parameters of the command."""


class TrialError(LutloomError, ValueError):
    """An option that nothing would heed."""


def is_trial(context: typer.Context) -> bool:
    """Return whether something is to be tried, and nothing trained.

    Raises :class:`TrialError` for an option that is of use in training alone.
    """
    given = {
        parameter.name: parameter.secondary_opts[0] if value is False else parameter.opts[0]
        for parameter in context.command.params
        if (value := context.params[parameter.name or ""]) != parameter.default
    }
    trials = [name for name in _USES if name in given]
    used = set().union(*(_USES[name] for name in trials), trials)
    idle = [option for name, option in given.items() if name not in used]
    if trials and idle:
        of = " and ".join(given[name] for name in trials)
        raise TrialError(
            f"there is no use for {', '.join(idle)} with {of}: leave out the one or the other"
        )
    return bool(trials)
