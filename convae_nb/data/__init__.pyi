from .dataset import Dataset as Dataset
from .dataset import first as first
from .dataset import labels as labels
from .images import DataError as DataError
from .images import as_images as as_images
from .loading import load as load
from .photographs import photograph_patches as photograph_patches
