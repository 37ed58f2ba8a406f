#!/usr/bin/env python3
"""Links in the Markdown files lead somewhere. `--self-test` shows that a dead one is found."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]+src=\"([^\"]+)\"")


def dead_links(file, text, exists):
    out = []
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    for match in LINK.finditer(text):
        target = (match[1] or match[2]).split("#")[0]
        if not target or re.match(r"[a-z]+:", target):
            continue
        if not exists((file.parent / target)):
            out.append(f"{file}: {target}")
    return out


def main():
    if "--self-test" in sys.argv:
        assert dead_links(pathlib.Path("a.md"), "[x](b.md) [y](https://x.y/z) [z](#q)", lambda p: False) == ["a.md: b.md"]
        assert dead_links(pathlib.Path("a.md"), "[x](b.md)", lambda p: True) == []
        return 0
    names = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    found = []
    for name in names:
        file = pathlib.Path(name)
        found += dead_links(file, (ROOT / file).read_text(), lambda p: (ROOT / p).exists())
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
