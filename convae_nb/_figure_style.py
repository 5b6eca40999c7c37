"""What all figures have in common: their width, and colours that differ in brightness too."""

import matplotlib.pyplot as plt

WIDTH = 7.5  # inches: the width of a page
COLOURS = plt.style.library["petroff10"]["axes.prop_cycle"].by_key()["color"]
DASHES = ["-", "--", "-.", ":"]
