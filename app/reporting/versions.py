"""The versions of what made a report."""

from __future__ import annotations

from lutloom.verification_report import version_of

_PACKAGES = ("numpy", "onnx", "onnxruntime", "qonnx")


def versions() -> dict[str, str]:
    """Return the version of lutloom, and of the packages that decide what it computes."""
    from lutloom import __version__

    found = {name: version_of(name) for name in _PACKAGES}
    return {"lutloom": __version__, **{name: v for name, v in found.items() if v is not None}}
