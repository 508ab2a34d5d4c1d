"""Optional parts of the installation."""

from __future__ import annotations

from importlib.util import find_spec

from lutloom.core.errors import LutloomError


class MissingExtraError(LutloomError, ImportError):
    """A command whose packages are not installed."""


def require(extra: str, *packages: str) -> None:
    """Raise ``MissingExtraError`` naming ``extra`` unless all ``packages`` can be imported."""
    missing = [package for package in packages if not _is_installed(package)]
    if missing:
        raise MissingExtraError(
            f"this needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not"
            f" installed: run pip install 'lutloom[{extra}]'"
        )


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False
