"""What setup.py does, tried on a package of three small modules in place of the real one."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")

pytestmark = pytest.mark.once

# rows/counter calls wire/base in C; both use a C header, which has an interpreted twin.
SOURCES = {
    "__init__.py": "",
    "_version.py": '__version__ = "1.2.3"',
    "py.typed": "",
    "rows/__init__.py": "",
    "wire/__init__.py": "",
    "wire/step.h": "static inline int step_size(void) { return 1; }",
    "wire/step.pxd": """\
# Interpreted twin: step.py (this header is C only, nothing to compile)
cdef extern from "step.h":
    int step_size()
""",
    "wire/step.py": """\
def step_size():
    return 1
""",
    "wire/base.pxd": """\
from pgallop.wire cimport step

cdef class Base:
    cdef public int value
    cdef int advance(self)
""",
    "wire/base.py": """\
from pgallop.wire import step

class Base:
    def __init__(self):
        self.value = 0

    def advance(self):
        self.value += step.step_size()
        return self.value
""",
    "rows/counter.pxd": """\
from pgallop.wire cimport step
from pgallop.wire.base cimport Base

cdef class Counter(Base):
    cdef int extra
""",
    "rows/counter.py": """\
from pgallop.wire import step
from pgallop.wire.base import Base

class Counter(Base):
    def twice(self):
        self.advance()
        self.extra = step.step_size()
        return self.advance(), self.extra
""",
}
COMPILED = {Path("wire", f"base{SUFFIX}"), Path("rows", f"counter{SUFFIX}")}


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "pgallop"
        self.tree = folder / "build" / "tree" / "pgallop"
        for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE"):
            shutil.copy2(CHECKOUT / name, folder)
        (folder / "README.md").write_text("A made-up package", encoding="utf-8")
        for name, source in SOURCES.items():
            self.write(name, source)

    def write(self, name: str, source: str) -> None:
        path = self.package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")

    def run(
        self, *arguments: str, path: str | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        inherited = {name: v for name, v in os.environ.items() if not name.startswith("PGALLOP_")}
        environment = inherited | {"CFLAGS": "-O0", "PYTHONPATH": path or ""} | variables
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def build(self, **variables: str) -> subprocess.CompletedProcess[str]:
        lib = str(self.tree.parent.relative_to(self.folder))
        return self.run("setup.py", "-q", "build", "--build-lib", lib, **variables)

    def built(self, **variables: str) -> set[Path]:
        """Build, which has to succeed, and return the compiled modules that the tree holds then."""
        process = self.build(**variables)
        assert process.returncode == 0, process.stderr
        return {path.relative_to(self.tree) for path in self.tree.rglob(f"*{SUFFIX}")}

    def count(self) -> str:
        code = "from pgallop.rows.counter import Counter; print(Counter().twice())"
        process = self.run("-P", "-c", code, path=str(self.tree.parent))
        assert process.returncode == 0, process.stderr
        return process.stdout.strip()


def files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and p.parent.name != "__pycache__"]


def wheels(project: Project) -> list[Path]:
    return list((project.folder / "dist").glob("*.whl"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_modules_with_a_header_of_their_own_are_compiled(project: Project) -> None:
    assert project.built() == COMPILED
    assert project.count() == "(2, 1)"
    sources = {path.relative_to(project.package).as_posix() for path in files(project.package)}
    assert sources == set(SOURCES), "nothing is built beside the sources"
    copied = {path.relative_to(project.tree).as_posix() for path in files(project.tree)}
    assert copied - {path.as_posix() for path in COMPILED} == set(SOURCES)


def test_only_what_changed_is_compiled_again(project: Project) -> None:
    modules = [project.tree / path for path in sorted(project.built(), reverse=True)]
    base, counter = (path.stat().st_mtime_ns for path in modules)

    project.built()
    assert [path.stat().st_mtime_ns for path in modules] == [base, counter]

    project.write(
        "rows/counter.py", SOURCES["rows/counter.py"].replace("(), self", "() + 40, self")
    )
    project.built()
    assert modules[0].stat().st_mtime_ns == base
    assert modules[1].stat().st_mtime_ns > counter
    assert project.count() == "(42, 1)"


def test_what_depends_on_a_changed_header_is_compiled_again(project: Project) -> None:
    project.built()
    project.write("wire/step.h", SOURCES["wire/step.h"].replace("return 1", "return 5"))
    project.built()
    assert project.count() == "(10, 5)"

    # A counter that was not compiled again would reach for `value` where it was before.
    grown = SOURCES["wire/base.pxd"].replace("cdef public", "cdef double[8] more\n    cdef public")
    project.write("wire/base.pxd", grown)
    project.built()
    assert project.count() == "(10, 5)"

    # Cython by itself overlooks this one: it is cimported as a module.
    stride = "static inline int stride(void) { return 7; }"
    leap = "static inline int leap(void) { return 8; }"
    project.write("wire/step.h", f"{stride}\n{leap}")
    for name, counted in (("stride", "(14, 7)"), ("leap", "(16, 8)")):
        header = SOURCES["wire/step.pxd"].replace("_size()", f'_size "{name}"()')
        project.write("wire/step.pxd", header)
        project.built()
        assert project.count() == counted


def test_everything_is_built_again_when_the_options_changed(project: Project) -> None:
    modules = [project.tree / path for path in project.built()]
    before = [path.stat().st_mtime_ns for path in modules]
    script = project.folder / "setup.py"
    script.write_text(script.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    project.built()
    after = [path.stat().st_mtime_ns for path in modules]
    assert all(new > old for new, old in zip(after, before, strict=True))


def test_a_deleted_module_leaves_the_tree(project: Project) -> None:
    project.built()
    for name in ("rows/counter.py", "rows/counter.pxd"):
        (project.package / name).unlink()
    assert project.built() == {Path("wire", f"base{SUFFIX}")}
    assert not (project.tree / "rows" / "counter.py").exists()


def test_pure_compiles_nothing(project: Project) -> None:
    project.built()
    assert project.built(PGALLOP_PURE="1", CC="false") == set()
    assert project.count() == "(2, 1)"


def test_the_pure_wheel_is_for_every_platform(project: Project) -> None:
    process = project.run("setup.py", "-q", "bdist_wheel", PGALLOP_PURE="1")
    assert process.returncode == 0, process.stderr
    assert [path.name for path in wheels(project)] == ["pgallop-1.2.3-py3-none-any.whl"]


def test_without_a_compiler_the_build_is_pure_and_says_so(project: Project) -> None:
    project.built()
    (project.package / "wire" / "step.h").touch()
    process = project.build(CC="false")
    assert process.returncode == 0, process.stderr
    assert "WITHOUT compiled modules" in process.stderr
    assert not list(project.tree.rglob(f"*{SUFFIX}")), "what was compiled before may not stay"
    assert project.count() == "(2, 1)"


def test_a_wheel_that_fell_back_is_for_every_platform(project: Project) -> None:
    process = project.run("setup.py", "-q", "bdist_wheel", CC="false")
    assert process.returncode == 0, process.stderr
    assert [path.name for path in wheels(project)] == ["pgallop-1.2.3-py3-none-any.whl"]


def test_one_module_that_does_not_compile_is_as_good_as_none(project: Project) -> None:
    project.write("rows/counter.h", "#error only the counter needs this\n")
    project.write(
        "rows/counter.pxd",
        SOURCES["rows/counter.pxd"] + 'cdef extern from "counter.h":\n    pass\n',
    )
    assert project.built() == set()
    assert project.count() == "(2, 1)"


def test_required_compiled_modules_fail_with_the_compiler(project: Project) -> None:
    process = project.build(CC="false", PGALLOP_REQUIRE_COMPILED="1")
    assert process.returncode != 0
    assert "PGALLOP_REQUIRE_COMPILED=1" in process.stderr
    assert "install a C compiler" in process.stderr


def test_a_module_that_cython_refuses_fails_the_build(project: Project) -> None:
    project.write("wire/base.py", "class Base:\n    pass\n")
    process = project.build()
    assert process.returncode != 0
    assert "Cython cannot translate pgallop/wire/base.py" in process.stderr


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PGALLOP_PURE": "1", "PGALLOP_REQUIRE_COMPILED": "1"}, "contradict"),
        ({"PGALLOP_PURE": "yes"}, "PGALLOP_PURE=yes: expected 1"),
        ({"PGALLOP_REQUIRE_COMPILED": "2"}, "PGALLOP_REQUIRE_COMPILED=2: expected 1"),
    ],
)
def test_switches_that_make_no_sense_fail_the_build(
    project: Project, variables: dict[str, str], message: str
) -> None:
    process = project.build(**variables)
    assert process.returncode != 0
    assert message in process.stderr
