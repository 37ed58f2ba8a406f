#!/usr/bin/env python3
"""No clock, socket, thread, file or random source in the archives of layers 0 to 5 (house rule: pure cores).
Reads the symbols that they leave to others (`nm -u`). `--self-test` shows that a violation is found."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PURE = ["base", "media", "rtp", "rtcp", "sdp", "flv", "auth", "ice", "dtls", "srtp", "rtmp", "bwe", "webrtc", "convert", "sfu", "room",
        "signalling", "rest"]
BANNED = re.compile(
    r"^(clock_gettime|gettimeofday|time|nanosleep|usleep|sleep|socket|bind|listen|accept4?|connect|send(to|msg|mmsg)?|"
    r"recv(from|msg|mmsg)?|open(64|at)?|fopen(64)?|creat|unlink|rename|pthread_(create|mutex_\w+|cond_\w+|rwlock_\w+)|"
    r"s?rand(om)?|getrandom|epoll_\w+|poll|select|_ZNSt6chrono3_V2\w+3nowEv|_ZNSt13random_device\w+|"
    r"_ZNSt6thread\w+|_ZNSt1[35]basic_[io]?f(ile)?stream\w+)(@.*)?$")
# What is allowed, and why.
ALLOWED = {}


def violations(symbols, folder):
    return [f"{folder}: {s}" for s in symbols if BANNED.match(s) and s not in ALLOWED.get(folder, {})]


def undefined(archive):
    text = subprocess.run(["nm", "-u", "--format=posix", str(archive)], capture_output=True, text=True).stdout
    return sorted({line.split()[0] for line in text.splitlines() if re.match(r"^\S+ [UwV]", line)})


def main():
    if "--self-test" in sys.argv:
        for bad in ("clock_gettime", "socket", "pthread_create", "fopen", "_ZNSt6chrono3_V212system_clock3nowEv", "rand"):
            assert violations([bad], "rtp") == [f"rtp: {bad}"], bad
        assert violations(["memcpy", "SSL_connect", "timelocal_x", "EVP_sha1"], "rtp") == []
        return 0
    found, seen = [], 0
    for folder in PURE:
        archive = ROOT / f"build/dev/src/{folder}/libparley_{folder}.a"
        if not archive.exists():
            continue
        seen += 1
        found += violations(undefined(archive), folder)
    print("\n".join(found) or f"{seen} archives")
    return 1 if found or seen < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
