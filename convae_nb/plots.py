"""Every figure of the chapters. Each function draws one, closes it and returns it, so that a cell shows it once.

Pictures are drawn with greys fixed to [0, 1] and without smoothing: autoscaled greys hide a dim reconstruction, and smoothing hides what
lies between neighbouring pixels. Colour images, ``(…, height, width, 3)``, are drawn in their colours.
"""

from convae_nb._figures_of_networks import network as network
from convae_nb._figures_of_networks import overlap as overlap
from convae_nb._figures_of_networks import reading_and_painting as reading_and_painting
from convae_nb._figures_of_numbers import bar_columns as bar_columns
from convae_nb._figures_of_numbers import bars as bars
from convae_nb._figures_of_numbers import lines as lines
from convae_nb._figures_of_numbers import loss_curves as loss_curves
from convae_nb._figures_of_numbers import seed_dots as seed_dots
from convae_nb._figures_of_numbers import sweep as sweep
from convae_nb._figures_of_pictures import code_maps as code_maps
from convae_nb._figures_of_pictures import image as image
from convae_nb._figures_of_pictures import image_rows as image_rows
from convae_nb._figures_of_pictures import magnified as magnified
from convae_nb._figures_of_pictures import number_grids as number_grids
