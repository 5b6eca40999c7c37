from .widget import NoiseExplorer as NoiseExplorer
from .widget import noise_explorer as noise_explorer
