from .checking import check as check
from .marking import mark as mark
from .verdict import Verdict as Verdict
