#!/usr/bin/env python3
"""Each header of src/ compiles alone. What has passed is remembered under build/ by the content of everything
that the header includes of ours. `--self-test` shows that a broken header is found."""
import concurrent.futures
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
FLAGS = ["-std=c++20", "-fsyntax-only", f"-I{SRC}", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror",
         "-x", "c++", "-"]


def closure(header, seen):
    if header in seen or not header.exists():
        return seen
    seen.add(header)
    for name in INCLUDE.findall(header.read_text()):
        closure(SRC / name, seen)
    return seen


def compile_alone(header):
    # Included from an empty file: as the main file, `#pragma once` itself is a warning.
    done = subprocess.run(["g++", *FLAGS], input=f'#include "{header}"\n', capture_output=True, text=True)
    return done.returncode == 0, done.stderr


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        bad = pathlib.Path(folder) / "bad.h"
        bad.write_text("#pragma once\nstd::string f();\n")
        assert not compile_alone(bad)[0]
        good = pathlib.Path(folder) / "good.h"
        good.write_text("#pragma once\n#include <string>\nstd::string f();\n")
        assert compile_alone(good)[0]


def main():
    if "--self-test" in sys.argv:
        self_test()
        return 0
    stamps = ROOT / "build/headers"
    stamps.mkdir(parents=True, exist_ok=True)
    work = []
    for header in sorted(SRC.rglob("*.h")):
        content = b"".join(p.read_bytes() for p in sorted(closure(header, set())))
        stamp = stamps / hashlib.sha256(str(header.relative_to(SRC)).encode() + content).hexdigest()
        if not stamp.exists():
            work.append((header, stamp))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for (header, stamp), (ok, text) in zip(work, pool.map(lambda w: compile_alone(w[0]), work)):
            if ok:
                stamp.touch()
            else:
                failed += 1
                print(f"{header.relative_to(ROOT)} does not compile alone:\n{text}")
    print(f"{len(work)} headers compiled")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
