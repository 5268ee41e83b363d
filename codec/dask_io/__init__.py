"""Recordings and archives of any size as Dask collections, wherever they lie."""

from codec.errors import MissingDependencyError

try:
    import dask.dataframe  # noqa: F401
    import distributed  # noqa: F401
    import fsspec  # noqa: F401
    import pyarrow  # noqa: F401
except ImportError as error:
    raise MissingDependencyError(
        f"this needs the package {error.name or 'dask'}:"
        " pip install 'stork-codec[dask]'"
    ) from error

from codec.dask_io.dataframes import read_errors, read_frames
from codec.dask_io.exporting import export

__all__ = ["export", "read_errors", "read_frames"]
