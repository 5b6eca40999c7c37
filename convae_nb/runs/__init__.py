"""Parameterized runs of the chapters: the executed notebook is the record, and there is no other.

papermill keeps a run's parameters and seconds in the notebook, `record` its results, and `collect` reads a folder of them into one
table. The notebook libraries and Dask take seconds to import: the functions that need one bring it in, after all that can be refused.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
