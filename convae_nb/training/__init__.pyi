from .checkpoint import CheckpointError as CheckpointError
from .loop import OneCycle as OneCycle
from .loop import Result as Result
from .loop import train as train
from .muon import Muon as Muon
from .recipes import RECIPES as RECIPES
from .recipes import Recipe as Recipe
from .recipes import recipe as recipe
