"""Names of the model in C++: identifiers that are safe and unique, comments that stay comments."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Keywords of C++14 and 17, macros in lower case that platforms define, and names the generated
# files use themselves.
_RESERVED = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t
    class compl concept const const_cast constexpr continue co_await co_return co_yield decltype
    default delete do double dynamic_cast else enum explicit export extern false float for friend
    goto if inline int int8_t int16_t int32_t int64_t long mutable namespace new noexcept not not_eq
    nullptr operator or or_eq private protected public register reinterpret_cast requires return
    short signed sizeof static static_assert static_cast struct switch template this thread_local
    throw true try typedef typeid typename uint8_t uint16_t uint32_t uint64_t union unsigned using
    virtual void volatile wchar_t while xor xor_eq final override import module
    linux unix i386 vax sun mips arm errno assert stdin stdout stderr major minor makedev signbit
    isnan isinf isfinite isnormal fpclassify offsetof setjmp va_arg va_end va_start min max
    main in out std hls lutloom lutloom_csim ap_int ap_uint ap_axiu input output last word
    """.split()
)

_LONGEST = 40


def identifiers(names: Iterable[str], *, taken: Iterable[str] = ()) -> dict[str, str]:
    """Return a C++ identifier for each of ``names``, as like it as can be; all are different.

    Letters, digits and single underscores, in lower case, at most 40 characters before a number
    that makes equal ones unique; none of ``taken``, no keyword, no macro in lower case.
    """
    used = set(taken)
    result: dict[str, str] = {}
    for name in names:
        if name in result:
            continue
        wanted = identifier(name)
        unique, number = wanted, 2
        while unique in used:
            unique, number = f"{wanted}_{number}", number + 1
        used.add(unique)
        result[name] = unique
    return result


def identifier(name: str) -> str:
    """Return ``name`` as a C++ identifier that no keyword or platform macro collides with.

    >>> identifier("model.features.3/Conv")
    'model_features_3_conv'
    """
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:_LONGEST].rstrip("_")
    if not plain or plain[0].isdigit() or plain in _RESERVED:
        plain = f"n_{plain}".rstrip("_")
    return plain


def comment(text: str) -> str:
    r"""Return ``text`` so that it can stand in a comment of C++, Tcl, a shell or Make.

    What is not plain ASCII, quotes, backslashes, dollars and what opens or ends a comment become
    code points in angle brackets; long texts are cut.

    >>> comment("fc*/0\n")
    'fc<2a>/0<a>'
    """
    shown = text if len(text) <= 80 else text[:77] + "..."
    return re.sub(r"[^A-Za-z0-9_./:,=+() \[\]-]", lambda found: f"<{ord(found[0]):x}>", shown)
