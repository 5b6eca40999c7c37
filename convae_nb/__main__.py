"""``python -m convae_nb``: the same as the command ``convae``."""

from convae_nb.cli import entry_point

if __name__ == "__main__":
    entry_point()
