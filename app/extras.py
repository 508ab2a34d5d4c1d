"""Optional parts of the installation."""

from __future__ import annotations

from importlib.util import find_spec

from lutloom.core.errors import LutloomError


class MissingExtraError(LutloomError, ImportError):
    """A command whose packages are not installed."""


def require(extra: str, *packages: str) -> None:
    """Raise ``MissingExtraError`` naming ``extra`` unless all ``packages`` can be imported."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise MissingExtraError(
            f"this needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not"
            f" installed: run pip install 'lutloom[{extra}]'"
        )
