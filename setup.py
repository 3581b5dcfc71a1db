"""Build pgallop's compiled modules; everything else about the distribution is in pyproject.toml.

A module is compiled when a `.pxd` stands beside its `.py`, unless the `.pxd` calls the `.py` its
interpreted twin in its first line (then it only declares functions of a C header).

    PGALLOP_PURE=1              compile nothing: needs no compiler, the wheel is py3-none-any
    PGALLOP_REQUIRE_COMPILED=1  fail where the C compiler fails; otherwise build without it

Compiled classes call each other's methods in C, so it is all of them or none.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CCompilerError, PlatformError

PACKAGE = Path("pgallop")
C_FILES = Path("build", "cython")
SETUP_SCRIPT = "setup.py"

DIRECTIVES = {
    "annotation_typing": False,  # the .pxd types the C code; annotations are for type checkers
    "infer_types": True,
    "language_level": 3,
    "auto_pickle": False,  # what can be pickled says so itself
    # Functions as C has them: those that can be inspected take a twelfth of what `import pgallop`
    # takes of memory. What users see says `# cython: binding=True` in its first lines.
    "binding": False,
}

# Without debug information a module is a quarter of the size, and a twelfth less without the tables
# for unwinding that C has no use for. Cython leaves functions unused where a method has overloads.
FLAGS = ["-O2", "-g0", "-fno-asynchronous-unwind-tables", "-Wno-unused-function"]

FALLBACK = """\
********************************************************************************
pgallop: the C compiler failed ({error}).
Going on WITHOUT compiled modules: pgallop will work, about ten times slower.
Install a C compiler and Python's headers and build again, or make this an error
with PGALLOP_REQUIRE_COMPILED=1.
********************************************************************************"""


def switched_on(variable: str) -> bool:
    value = os.environ.get(variable, "")
    if value not in ("", "0", "1"):
        raise SystemExit(f"{variable}={value}: expected 1 (on), or 0 or nothing (off)")
    return value == "1"


def is_compiled(header: Path) -> bool:
    with header.open(encoding="utf-8") as lines:
        only_declares_c = lines.readline().startswith("# Interpreted twin:")
    return header.with_suffix(".py").exists() and not only_declares_c


def find_extensions() -> list[Extension]:
    include_dirs = sorted({c_header.parent.as_posix() for c_header in PACKAGE.rglob("*.h")})
    return [
        Extension(
            ".".join(header.with_suffix("").parts),
            [header.with_suffix(".py").as_posix()],
            include_dirs=include_dirs,
        )
        for header in sorted(PACKAGE.rglob("*.pxd"))
        if is_compiled(header)
    ]


class Build(build):
    """The usual build, after which nothing of an earlier one is left over in its tree."""

    def run(self) -> None:
        super().run()
        tree = Path(self.build_lib)
        if tree.resolve() == Path.cwd():
            return
        commands = [self.get_finalized_command(name) for name in self.get_sub_commands()]
        outputs = {
            Path(output)
            for command in commands
            if isinstance(command, build_py | build_ext)
            for output in command.get_outputs()
        }
        for path in (tree / PACKAGE).rglob("*"):
            if path.is_file() and path not in outputs and path.parent.name != "__pycache__":
                path.unlink()


class BuildExtensions(build_ext):
    """Translate to C under build/, compile in parallel, do without where no compiler works."""

    def finalize_options(self) -> None:
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count()

    def run(self) -> None:
        self.translate()
        try:
            super().run()
        except (CCompilerError, PlatformError) as error:
            if switched_on("PGALLOP_REQUIRE_COMPILED"):
                raise SystemExit(
                    f"pgallop: the C compiler failed ({error}), which PGALLOP_REQUIRE_COMPILED=1"
                    " does not allow: install a C compiler and Python's headers, or unset it"
                ) from error
            self.do_without(error)

    def translate(self) -> None:
        """Let Cython write the C files that are missing or out of date."""
        # Imported here because a build without compiled modules does not need it.
        from Cython.Build import cythonize
        from Cython.Compiler.Errors import CompileError

        # Cython follows what a header cimports by name, but not `from package cimport module`: its
        # dependency_regex loses the names there (Cython/Build/Dependencies.py, 3.3.1).
        headers = [Path(SETUP_SCRIPT), *PACKAGE.rglob("*.pxd")]
        changed = max(path.stat().st_mtime for path in headers)
        c_files = [(C_FILES / e.sources[0]).with_suffix(".c") for e in self.extensions]
        stale = any(c.exists() and c.stat().st_mtime < changed for c in c_files)
        try:
            cythonize(  # type: ignore[no-untyped-call]
                self.extensions,
                nthreads=self.parallel or 1,
                force=self.force or stale,
                quiet=not self.verbose,
                build_dir=C_FILES.as_posix(),
                compiler_directives=DIRECTIVES,
            )
        except CompileError as error:
            raise SystemExit(f"pgallop: Cython cannot translate {error} (see above)") from error
        for extension, c_file in zip(self.extensions, c_files, strict=True):
            extension.sources = [c_file.as_posix()]

    def build_extensions(self) -> None:
        # CFLAGS come earlier on the command line: who sets them gets what they say.
        sets_flags = self.compiler.compiler_type == "unix" and "CFLAGS" not in os.environ
        for extension in self.extensions:
            extension.extra_compile_args = FLAGS if sets_flags else []
            # Translating again tells of every .pxd, but neither of C headers nor of this file.
            extension.depends = [SETUP_SCRIPT, *map(str, PACKAGE.rglob("*.h"))]
        super().build_extensions()

    def do_without(self, error: Exception) -> None:
        print(FALLBACK.format(error=error), file=sys.stderr)
        self.extensions = []
        self.distribution.ext_modules = []
        wheel = self.distribution.get_command_obj("bdist_wheel", create=False)
        if isinstance(wheel, bdist_wheel):  # it took the wheel for a platform's when it began
            wheel.root_is_pure = True


if __name__ == "__main__":
    pure = switched_on("PGALLOP_PURE")
    require_compiled = switched_on("PGALLOP_REQUIRE_COMPILED")
    if pure and require_compiled:
        raise SystemExit("PGALLOP_PURE=1 and PGALLOP_REQUIRE_COMPILED=1 contradict: unset one")
    setup(
        ext_modules=[] if pure else find_extensions(),
        cmdclass={"build": Build, "build_ext": BuildExtensions},
    )
