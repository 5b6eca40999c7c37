from .autoencoder import as_denoiser as as_denoiser
from .autoencoder import build_autoencoder as build_autoencoder
from .autoencoder import predict as predict
from .autoencoder import reconstruct as reconstruct
from .cost import layer_table as layer_table
from .ways_up import DECODERS as DECODERS
