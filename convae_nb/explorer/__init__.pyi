from .pad import DrawingPad as DrawingPad
from .pad import drawing_pad as drawing_pad
from .widget import NoiseExplorer as NoiseExplorer
from .widget import noise_explorer as noise_explorer
