"""Whether a window can be opened here, and if not, the one line that says what to do. Imports no Qt."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys

_COMMANDS = "the commands freeze-gui run, compare, inspect and scenarios work without one (freeze-gui --help)"

_QT_LIBRARIES = {   # what the Qt wheels need and do not bring → Debian's package
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
}
_XCB_LIBRARIES = {   # what the xcb platform plug-in needs on top
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libX11-xcb.so.1": "libx11-xcb1",
}


def why_no_window() -> str | None:
    """Return why no window can be opened and what to do, in one line; None when nothing stands against it."""
    if not sys.platform.startswith("linux"):
        return None
    if not has_display():
        return f"there is no display (DISPLAY and WAYLAND_DISPLAY are not set); {_COMMANDS}"
    packages = [package for library, package in _QT_LIBRARIES.items() if not can_load(library)]
    if uses_xcb():
        packages += [package for library, package in _XCB_LIBRARIES.items() if not can_load(library)]
    if packages:
        return f"Qt needs system libraries that are missing: sudo apt-get install -y {' '.join(packages)}"
    if uses_xcb() and not x_server_answers():
        where = os.environ.get("DISPLAY", "")
        return f"the display {where!r} cannot be reached: check DISPLAY, or allow this user to use it; {_COMMANDS}"
    try:
        importlib.import_module("PySide6.QtWidgets")
    except ImportError as error:
        return f"Qt cannot be loaded ({error}); {_COMMANDS}"
    return None


def has_display() -> bool:
    """Tell whether there is a display, or a platform that needs none."""
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def uses_xcb() -> bool:
    """Tell whether Qt will talk to an X server."""
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    return platform.startswith("xcb") if platform else not os.environ.get("WAYLAND_DISPLAY")


def x_server_answers() -> bool:
    """Tell whether the X server can be reached; Qt would abort the process where it cannot."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True   # Qt says what it needs
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    failed = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    return not failed


def can_load(library: str) -> bool:
    """Tell whether a shared library of the system can be loaded."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
