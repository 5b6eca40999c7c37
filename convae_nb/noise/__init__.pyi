from .kinds import KINDS as KINDS
from .kinds import Kind as Kind
from .kinds import corrupt as corrupt
