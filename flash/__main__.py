"""``python -m flash`` is the ``flash`` command."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="python -m flash")
