"""``python -m freeze_gui`` is the command ``freeze-gui``."""

from freeze_gui.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
