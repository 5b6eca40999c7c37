"""What all figures have in common: their width, and colours that differ in brightness too."""

import matplotlib

WIDTH = 7.5  # inches: the width of a page
COLOURS = matplotlib.color_sequences["petroff10"]
DASHES = ["-", "--", "-.", ":"]
