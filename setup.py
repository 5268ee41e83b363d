"""Builds the compiled modules. What the project is stands in pyproject.toml.

Environment switches: CODEC_SANITIZE=1 (AddressSanitizer and UBSan), CODEC_COVERAGE=1
(gcov), CODEC_DEBUG=1 (no optimisation).
"""

import os
from glob import glob
from importlib.metadata import version

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

# No -march: kernels_*.c carry their instruction sets as function attributes, and
# dispatch.c chooses at run time. One wheel serves every machine.
compile_args = ["-std=c11", "-O3", "-fvisibility=hidden", "-fno-strict-aliasing"]
link_args = ["-pthread"]

if os.environ.get("CODEC_SANITIZE"):
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]
    compile_args += [*flags, "-fno-omit-frame-pointer"]
    link_args += flags
if os.environ.get("CODEC_COVERAGE"):
    compile_args += ["--coverage", "-O0", "-g"]
    link_args += ["--coverage"]
if os.environ.get("CODEC_DEBUG"):
    compile_args += ["-O0", "-g"]

core = Extension(
    "codec._core",
    sources=["codec/_core.pyx", *sorted(glob("src_c/*.c"))],
    depends=sorted([*glob("src_c/*.h"), *glob("codec/_core_*.pxi")]),
    include_dirs=["src_c", numpy.get_include()],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
    extra_compile_args=compile_args,
    extra_link_args=link_args,
)
listener = Extension(
    "codec.feeds._listener",
    sources=["codec/feeds/_listener.pyx"],
    define_macros=[("PICOWS_VERSION", f'"{version("picows")}"')],
    extra_compile_args=compile_args,
    extra_link_args=link_args,
)

setup(ext_modules=cythonize([core, listener], build_dir="build/cython"))
