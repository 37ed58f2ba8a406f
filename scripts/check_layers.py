#!/usr/bin/env python3
"""The include graph: a folder of src/ includes lower layers, and its own layer only where its CMake target
says so. `--self-test` shows that a violation is found."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = {"base": 0, "gate": 1, "media": 1, "rtp": 2, "rtcp": 2, "sdp": 2, "flv": 2, "websocket": 2, "container": 2,
          "ice": 3, "dtls": 3, "srtp": 3, "bwe": 3, "rtmp": 3, "hls": 3, "auth": 3, "webrtc": 4, "convert": 4, "codec": 4,
          "room": 5, "sfu": 5, "gateway": 5, "mix": 5, "record": 5, "cluster": 5, "quality": 5, "signalling": 5, "rest": 5, "webhook": 5,
          "outgoing": 6, "store": 6, "server": 6, "cli": 6, "loadgen": 6}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)


def declared(folder):
    text = (ROOT / "src" / folder / "CMakeLists.txt")
    if not text.exists():
        return set()
    match = re.search(r"DEPS\s+([a-z0-9_ \n]+?)(?:LIBS|\))", text.read_text())
    return set(match[1].split()) if match else set()


def violations(files, deps):
    """`files`: (folder, name, text); `deps`: folder -> what its CMake target names."""
    out = []
    for folder, name, text in files:
        for include in INCLUDE.findall(text):
            target = include.split("/")[0] if "/" in include else None
            if target is None:
                out.append(f"{name}: include \"{include}\" from src/ (\"{folder}/{include}\")")
                continue
            if target == folder or target == "base":
                continue
            if folder == "io":
                out.append(f"{name}: io includes only base, not {include}")
            elif target in ("io", "codec"):
                if LAYERS.get(folder, 0) < 6:
                    out.append(f"{name}: a pure layer includes {include}")
            elif target not in LAYERS or folder not in LAYERS:
                out.append(f"{name}: unknown folder in {include}")
            elif LAYERS[target] > LAYERS[folder]:
                out.append(f"{name}: layer {LAYERS[folder]} includes layer {LAYERS[target]}: {include}")
            elif LAYERS[target] == LAYERS[folder] and target not in deps.get(folder, set()):
                # The command line names other programs of its own layer by CMake variables.
                if folder != "cli":
                    out.append(f"{name}: {include} is not among the DEPS of src/{folder}/CMakeLists.txt")
    return out


def self_test():
    deps = {"rtcp": {"base", "rtp"}, "rtp": {"base"}}
    good = [("rtcp", "a.h", '#include "rtp/header.h"\n#include <vector>\n'), ("server", "b.cc", '#include "io/fd.h"')]
    bad = [("base", "c.h", '#include "rtp/header.h"'), ("rtp", "d.h", '#include "rtcp/packets.h"'),
           ("ice", "e.h", '#include "io/fd.h"'), ("io", "f.h", '#include "media/packet.h"'), ("rtp", "g.h", '#include "x.h"')]
    assert violations(good, deps) == [], violations(good, deps)
    for case in bad:
        assert len(violations([case], deps)) == 1, case


def main():
    if "--self-test" in sys.argv:
        self_test()
        return 0
    files = []
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix in (".h", ".cc"):
            files.append((path.relative_to(ROOT / "src").parts[0], str(path.relative_to(ROOT)), path.read_text()))
    found = violations(files, {p.name: declared(p.name) for p in (ROOT / "src").iterdir() if p.is_dir()})
    print("\n".join(found))
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
