"""How checkered is a decoder: the overlap of its kernels, its answer to flat input, and the images that come out of it.

An upsampling by s can treat pixels unevenly with a period of s, which shows at the multiples of 1/s in the spectrum. Frequencies are
in cycles per pixel; images are finite numbers of any range, such as logits, of shape ``(batch, height, width[, channels])``.
"""

from convae_nb.measures.checkerboard import checkerboard_index as checkerboard_index
from convae_nb.measures.checkerboard import flat_answer as flat_answer
from convae_nb.measures.checkerboard import overlap_map as overlap_map
from convae_nb.measures.checkerboard import phase_response as phase_response
from convae_nb.measures.checkerboard import phase_spread as phase_spread
from convae_nb.measures.checkerboard import power_spectrum as power_spectrum
