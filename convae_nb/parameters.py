"""The vocabulary of the chapters' parameters: the same name has the same type, range and meaning in every chapter.

A chapter takes what it needs of it, and checks that in its first cells: ``parameters.check(source=source, seed=seed)``.
"""

from convae_nb.errors import RefusedError as RefusedError
from convae_nb.runs.parameters import Parameters as Parameters
from convae_nb.runs.parameters import check as check
from convae_nb.runs.parameters import parse as parse
from convae_nb.runs.parameters import parse_grid as parse_grid
