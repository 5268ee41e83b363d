"""Archives of lines as tables, and as files that other tools read: exact, bounded.

`export` writes files, `tables` gives Arrow tables. `Converter` is the step from a chunk
of `Lines` to a table, `make_writer` what writes tables, for who runs both elsewhere.
"""

from codec.errors import MissingDependencyError

try:
    import pyarrow  # noqa: F401
except ImportError as error:
    raise MissingDependencyError(
        "this needs the package pyarrow: pip install 'stork-codec[arrow]'"
    ) from error

from codec.export.converting import Converter
from codec.export.exporting import export, tables
from codec.export.faults import Fault, Lines
from codec.export.formats import FORMATS, Writer, make_writer
from codec.export.inputs import Input, chunks, find_inputs
from codec.export.options import Options
from codec.export.partitioning import PARTS
from codec.export.places import NewFile
from codec.export.summary import Summary

__all__ = [
    "FORMATS",
    "PARTS",
    "Converter",
    "Fault",
    "Input",
    "Lines",
    "NewFile",
    "Options",
    "Summary",
    "Writer",
    "chunks",
    "export",
    "find_inputs",
    "make_writer",
    "tables",
]
