#!/usr/bin/env python3
"""docs/configuration.md, docs/parley.1 and parley.example.toml are what the built program writes, docs/operations.md names the
metrics of src/server/metrics.cc, all of them and no others, docs/dependencies.md every package of scripts/bootstrap, and
docs/testing.md the tests of each statement of the protocol's checklist.

Usage: scripts/check_reference.py [--built] [--write] [--self-test]
Only --built and --write ask the program, since one that was built long ago would know other settings. --write brings
all of them but the metrics and packages up to date. --self-test shows that a difference is found."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MARK = "<!-- From here on written by"
STATEMENTS = 121  # of section 7 of the protocol
# What no test holds, and why. Another number without a test fails.
NOT_YET = {**dict.fromkeys([*range(87, 95), 102, 118], "not yet: nothing carries out jobs, requests get 10053"),
           **dict.fromkeys(range(96, 99), "not yet: relay, requests get 10053")}


def program():
    built = [ROOT / "build" / preset / "src/cli/parley" for preset in ("dev", "release")]
    built = [path for path in built if path.exists()]
    return max(built, key=lambda path: path.stat().st_mtime, default=None)


def with_reference(document, reference):
    """The document with everything behind the line of the mark replaced."""
    head, mark, tail = document.partition(MARK)
    return head + mark + tail.partition("\n")[0] + "\n\n" + reference if mark else document


def metric_differences(source, document):
    made = {name for name in re.findall(r'"(parley_[a-z0-9_]+)"', source)}
    told = set(re.findall(r"^\| `(parley_[a-z0-9_]+)` \|", document, re.M))
    return [f"docs/operations.md: {name} is missing" for name in sorted(made - told)] + [
        f"docs/operations.md: {name} does not exist" for name in sorted(told - made)]


def unexplained_packages(bootstrap, document):
    groups = re.findall(r"^(?:build|test|lint|bench)=\((.*?)\)", bootstrap, re.M | re.S)
    packages = {package for group in groups for package in group.split()}
    return [f"docs/dependencies.md: {package} is missing" for package in sorted(packages) if f"`{package}`" not in document]


def checklist(files):
    """`files`: (name below tests/, text). The table of docs/testing.md."""
    held = {}
    for name, text in files:
        titles = re.findall(r"\bTEST(?:_F|_P)?\(\w+,\s*(S\d\w*)\)", text) if name.endswith(".cc") else re.findall(
            r"'((?:S\d+ )+)", text)
        for title in titles:
            # S80_S81_Name, "S80 S81 name"
            for number in re.match(r"(?:S\d+[_ ])+", title)[0].replace("_", " ").split():
                held.setdefault(int(number[1:]), set()).add(name)
    held[25] = {"signalling/world.cc"}  # looked at in every message of every test there
    rows = [f"| {n} | {', '.join(f'`{name}`' for name in sorted(held[n])) if n in held else NOT_YET[n]} |"
            for n in range(1, STATEMENTS + 1)]
    return "\n".join(["| # | Held by |", "| --- | --- |", *rows, ""])


def test_files():
    tests = ROOT / "tests"
    paths = sorted([*tests.glob("*/*_test.cc"), *tests.glob("e2e/tests/*.mjs")])
    return [(str(path.relative_to(tests)), path.read_text()) for path in paths]


def self_test():
    table = checklist([("a/b_test.cc", "TEST(A, S01_S03_Name)"), ("e2e/tests/c.mjs", "async 'S01 S02 name'(t)")] + [
        ("d_test.cc", "".join(f"TEST(D, S{n}_X)" for n in range(4, STATEMENTS + 1) if n not in NOT_YET))])
    assert "| 1 | `a/b_test.cc`, `e2e/tests/c.mjs` |" in table and "| 3 | `a/b_test.cc` |" in table, table
    assert with_reference(f"a\n{MARK} x -->\n\nold\n", "new\n") == f"a\n{MARK} x -->\n\nnew\n"
    assert with_reference("no mark", "new") == "no mark"
    table = "| `parley_a` | - | |\n| `parley_c` | - | |\n"
    assert metric_differences('"parley_a" "parley_b_total"', table) == [
        "docs/operations.md: parley_b_total is missing", "docs/operations.md: parley_c does not exist"]
    assert unexplained_packages("build=(g++ libx-dev\n  make)\nlint=(libx-dev)\n", "`g++` and `make`") == [
        "docs/dependencies.md: libx-dev is missing"]
    assert metric_differences('"parley_a"', "| `parley_a` | - | |\n") == []


def main():
    if "--self-test" in sys.argv:
        self_test()
        return 0
    found = metric_differences((ROOT / "src/server/metrics.cc").read_text(), (ROOT / "docs/operations.md").read_text())
    found += unexplained_packages((ROOT / "scripts/bootstrap").read_text(), (ROOT / "docs/dependencies.md").read_text())
    testing = ROOT / "docs/testing.md"
    in_step = with_reference(testing.read_text(), checklist(test_files()))
    if "--write" in sys.argv:
        testing.write_text(in_step)
    elif testing.read_text() != in_step:
        found.append("docs/testing.md: out of step; run scripts/check_reference.py --write")
    if "--built" in sys.argv or "--write" in sys.argv:
        binary = program()
        if binary is None:
            print("no parley binary: build it first")
            return 1

        def output(*arguments):
            return subprocess.run([binary, *arguments], check=True, capture_output=True, text=True).stdout
        document = ROOT / "docs/configuration.md"
        wanted = {document: with_reference(document.read_text(), output("config", "reference")),
                  ROOT / "docs/parley.1": output("manual"),
                  ROOT / "parley.example.toml": output("config", "example")}
        for path, text in wanted.items():
            if path.exists() and path.read_text() == text:
                continue
            if "--write" in sys.argv:
                path.write_text(text)
            else:
                found.append(f"{path.relative_to(ROOT)}: out of step; run scripts/check_reference.py --write")
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
