__version__: str

from . import baselines as baselines
from . import checkerboard as checkerboard
from . import data as data
from . import errors as errors
from . import exercises as exercises
from . import explorer as explorer
from . import layers as layers
from . import metrics as metrics
from . import models as models
from . import noise as noise
from . import parameters as parameters
from . import plots as plots
from . import reference as reference
from . import runs as runs
from . import training as training
from ._base.tensorflow import keras as keras
from ._base.tensorflow import tf as tf
