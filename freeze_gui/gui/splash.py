"""The shell in a process of its own, for Windows: torch must be imported before Qt there, and takes its seconds.

``python -m freeze_gui.gui.splash`` shows it until its standard input ends: when it is closed, and also when the program
that it stands for is no more. This module imports no Qt for the one that starts it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading


class Splash:
    """Starts the process; without one the start goes on all the same."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        command = [sys.executable, "-m", __name__]
        no_console = getattr(subprocess, "CREATE_NO_WINDOW", 0)   # Windows alone knows it
        with contextlib.suppress(OSError):
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, creationflags=no_console)

    @property
    def closed_by_person(self) -> bool:
        """Whether a person closed it, who then does not want the program any more."""
        return self._process is not None and self._process.poll() == 0

    def close(self) -> None:
        """Take it away."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):   # it has gone before
                self._process.stdin.close()


def main() -> int:
    """Show the shell until standard input ends or a person closes it."""
    from freeze_gui.gui.startup import Startup

    startup = Startup(sys.argv)   # that is never run: of it the shell alone is seen
    startup.shell.show()

    def end_with_input() -> None:
        sys.stdin.buffer.read()
        os._exit(0)   # at once and from any thread: there is nothing to save

    threading.Thread(target=end_with_input, daemon=True).start()
    return startup.app.exec()


if __name__ == "__main__":
    sys.exit(main())
