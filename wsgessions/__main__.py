"""``python -m wsgessions`` is the command ``wsgessions``."""

from .cli import main

if __name__ == "__main__":
    main()
