"""``python -m kolumn``."""

from .cli import main

main()
