"""The layers that Keras lacks: nearest-neighbour resize and convolution in one, sub-pixel convolution, and a fast one to a single map.

Feature maps are float32 ``(batch, height, width, channels)``, whatever the user's ``keras.json`` says. Keras knows these layers in a
saved model once this module is imported.
"""

from convae_nb.models.layers import SingleMapConv2D as SingleMapConv2D
from convae_nb.models.layers import SubpixelConv2D as SubpixelConv2D
from convae_nb.models.layers import UpsampleConv2D as UpsampleConv2D
