#!/usr/bin/env python3
"""Words that may not stand in the repository: hosts of package registries, paths of somebody's machine, and,
by folder, what the house style bans. `--self-test` shows that a violation is found."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PURE = ("base", "media", "rtp", "rtcp", "sdp", "flv", "auth", "ice", "dtls", "srtp", "rtmp", "bwe", "webrtc", "sfu", "room",
        "signalling", "rest")
# Joined here, so that this file does not name what it looks for.
REGISTRIES = [".".join(p) for p in (("registry", "npmjs", "org"), ("deb", "debian", "org"), ("registry", "yarnpkg", "com"),
                                    ("deb", "nodesource", "com"), ("registry", "npmmirror", "com"))]
# Homes of people and of build machines; written apart for the same reason.
MACHINE_PATHS = [r"(?<![\w.])" + "/".join(p) for p in (("", "work", r"(main|shared)\b"), ("", "root", r"[.\w]"), ("", "home", r"\w"))]
BINARY = {".png", ".jpg", ".ico", ".woff2", ".h264", ".opus", ".bin", ".wasm", ".pem"}


def code_only(text):
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


RULES = [
    # (which files, pattern, what is wrong)
    (lambda f: f.startswith("src/") and f.split("/")[1] in PURE,
     re.compile(r"\b(std::this_thread|system_clock::now|steady_clock::now|std::mutex|std::thread|std::random_device|std::atomic)\b|\bthrow\b(?!\(\))"),
     "clock, thread, lock or exception in a pure folder"),
    (lambda f: f.startswith("src/") and f.endswith((".h", ".cc")) and not f.startswith("src/base/"),
     re.compile(r"\breinterpret_cast\b"), "reinterpret_cast outside base/"),
    (lambda f: f.startswith("src/") and f.endswith(".h"), re.compile(r"^\s*using namespace (?!std::chrono_literals)", re.M),
     "using namespace in a header"),
    (lambda f: f.startswith("src/") and f.split("/")[1] in PURE, re.compile(r"shared_ptr<(?!const\b)"),
     "shared_ptr to something mutable in a pure folder"),
]
# Reviewed exceptions: file -> what, with the reason beside the code itself.
EXCEPTIONS = set()


def violations(name, text):
    out = []
    for host in REGISTRIES:
        if host in text:
            out.append(f"{name}: names a package registry")
    for pattern in MACHINE_PATHS:
        if re.search(pattern, text):
            out.append(f"{name}: a path of one machine")
    if name.endswith((".h", ".cc")):
        if "\t" in text:
            out.append(f"{name}: a tab")
        plain = code_only(text)
        for applies, pattern, what in RULES:
            if applies(name) and name not in EXCEPTIONS and pattern.search(plain):
                out.append(f"{name}: {what}: {pattern.search(plain)[0].strip()}")
    return out


def main():
    if "--self-test" in sys.argv:
        assert violations("src/rtp/a.cc", "int x; // throw, std::mutex\n") == []
        for name, text in (("src/rtp/a.cc", "std::mutex m;"), ("src/sfu/b.h", "using namespace std;"),
                           ("src/io/c.cc", "reinterpret_cast<int*>(p)"), ("src/room/d.h", "std::shared_ptr<Room> r;"),
                           ("docs/e.md", "https://" + REGISTRIES[0] + "/x"), ("docs/f.md", "see /wo" + "rk/main/x"),
                           ("src/rtp/g.cc", "\tint x;")):
            assert len(violations(name, text)) == 1, (name, violations(name, text))
        return 0
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    found = []
    for name in filter(None, names):
        path = ROOT / name
        if path.suffix in BINARY or not path.is_file() or name.startswith("fuzz/corpus/") or name == "scripts/check_text.py":
            continue
        found += violations(name, path.read_text(errors="replace"))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
