"""Run the suite on compiled modules that check every access and every operation of theirs.

    python tools/sanitize.py [arguments for pytest]

builds the modules with gcc's AddressSanitizer and UndefinedBehaviorSanitizer into `build/asan` and
runs the suite on them. First it makes two deliberate faults, in the same way, which have to be
found: a run in which nothing is checked cannot pass. Linux and gcc only.

Python and the packages from wheels are not instrumented, but their allocations are: PYTHONMALLOC
hands each of them to the sanitizer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
FOLDER = CHECKOUT / "build" / "asan"
TREE = FOLDER / "tree"
LOGS = FOLDER / "logs"

# Signed overflow is a fault, although Python's own flags define it (-fwrapv): the interpreted
# twin of such code computes something else. What gcc's group `undefined` leaves out: values of
# floats that an integer cannot hold.
CHECKS = "address,undefined,float-cast-overflow"
CFLAGS = (
    f"-O1 -g -fno-wrapv -fno-omit-frame-pointer -fsanitize={CHECKS} -fno-sanitize-recover=all"
    " -Wno-unused-function"
)
LIBRARIES = ("libasan.so", "libubsan.so")

# All of it is slower by a factor of two to five.
TIMEOUT = 300

PROOF = """\
#include <limits.h>
int within(const char *bytes, int size) { return bytes[size - 1]; }
int beyond(const char *bytes, int size) { return bytes[size]; }
int overflow(const char *bytes, int size) { return INT_MAX - 64 + size + bytes[0]; }
"""

PROOF_TEST = """\
import ctypes

import pytest

library = ctypes.CDLL({library!r})


@pytest.mark.parametrize("fault", ["within", "beyond", "overflow"])
def test_fault(fault: str) -> None:
    getattr(library, fault)(ctypes.create_string_buffer(65), 65)
"""

# The fault, and what the sanitizer says of it.
PROOFS = {"within": "", "beyond": "heap-buffer-overflow", "overflow": "runtime error: signed"}


def compiler() -> str:
    return os.environ.get("CC", "gcc")


def library(name: str) -> str:
    """The path of one of the compiler's own libraries."""
    command = [compiler(), f"-print-file-name={name}"]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(path).is_absolute():
        raise SystemExit(f"{compiler()} has no {name}: install gcc with its sanitizers")
    return path


def build() -> None:
    """Compile pgallop into `TREE`; raises SystemExit if any of its modules is not instrumented."""
    flags = {"CC": compiler(), "CFLAGS": CFLAGS, "LDFLAGS": f"-fsanitize={CHECKS}"}
    arguments = ["--build-base", str(FOLDER), "--build-lib", str(TREE)]
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **flags, "PGALLOP_REQUIRE_COMPILED": "1"},
        check=True,
    )
    modules = list(TREE.rglob("*.so"))
    plain = [path.name for path in modules if b"__asan_init" not in path.read_bytes()]
    if not modules or plain:
        raise SystemExit(f"not instrumented: {', '.join(plain) or 'no module at all'}")


def environment() -> dict[str, str]:
    asan = "detect_leaks=0:allocator_may_return_null=1"
    return {
        **os.environ,
        "LD_PRELOAD": " ".join(map(library, LIBRARIES)),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": f"{asan}:log_path={LOGS / 'asan'}",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "PYTHONPATH": str(TREE),
        "PGALLOP_EXPECT_COMPILED": "1",
        "PGALLOP_TEST_UNBOUNDED": "1",  # this takes more time and memory, and other turns
    }


def run(*arguments: str) -> tuple[int, str]:
    """Run pytest; its exit status, and what the sanitizers have said, in whichever process.

    UndefinedBehaviorSanitizer knows no log beside AddressSanitizer's. It writes to the standard
    error, which pytest must not capture then: the process ends there and then.
    """
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    LOGS.chmod(0o777)  # the server's processes have another account
    command = [sys.executable, "-P", "-m", "pytest", "--capture=sys", f"--timeout={TIMEOUT}"]
    with (LOGS / "stderr").open("wb") as errors:
        status = subprocess.run(
            [*command, *arguments], cwd=CHECKOUT, env=environment(), stderr=errors, check=False
        ).returncode
    logs = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(LOGS.iterdir())]
    reports = ("AddressSanitizer", "runtime error:")
    return status, "\n".join(log for log in logs if any(word in log for word in reports))


def prove() -> None:
    """Make the deliberate faults; raises SystemExit if one goes unnoticed."""
    folder = FOLDER / "proof"
    folder.mkdir(parents=True, exist_ok=True)
    source, shared, test = (folder / name for name in ("proof.c", "proof.so", "test_proof.py"))
    source.write_text(PROOF, encoding="utf-8")
    command = [compiler(), *CFLAGS.split(), "-shared", "-fPIC", str(source), "-o", str(shared)]
    subprocess.run(command, check=True)
    test.write_text(PROOF_TEST.format(library=str(shared)), encoding="utf-8")
    for fault, expected in PROOFS.items():
        status, said = run("-q", "--rootdir", str(CHECKOUT), f"{test}::test_fault[{fault}]")
        found = status != 0 and expected in said
        if found is not bool(expected):
            raise SystemExit(f"the fault {fault!r}: status {status}\n{said}")
        print(
            f"the fault {fault!r} is {'found' if found else 'none, and none is found'}", flush=True
        )


def main(arguments: Sequence[str]) -> int:
    build()
    prove()
    status, said = run("-m", "not once and not unsanitized", *arguments)
    if said:
        print(f"\n==> What the sanitizers say\n{said}")
    return status or bool(said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
