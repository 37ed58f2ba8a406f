"""Debian's janus for scripts/bench: its videoroom behind WHIP and WHEP, so that `parley bench` can load it.

A WHEP viewer makes the offer, but a videoroom subscriber gets one. The two are crossed: janus is answered with
the viewer's ICE and DTLS parameters, the viewer with those of janus. Media goes straight between the two.
"""
import http.server
import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

# janus waits for a candidate of the client. This one is never used: checks come from where they come from.
CANDIDATE = ["a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host", "a=end-of-candidates"]
KEPT_LINES = ("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:", "a=mid:", "a=rtcp-mux", "a=rtcp-rsize")

# One event loop for the one core.
MAIN_CONFIG = """
general: {{
    configs_folder = "{directory}"
    debug_level = 2
    event_loops = 1
    session_timeout = 0
}}
media: {{ ipv6 = false }}
nat: {{ ice_enforce_list = "127.0.0.1" }}
plugins: {{ disable = "{other_plugins}" }}
transports: {{ disable = "{other_transports}" }}
loggers: {{ disable = "libjanus_jsonlog.so" }}
"""
HTTP_CONFIG = """
general: {{ json = "compact", base_path = "/janus", http = true, port = {port}, ip = "127.0.0.1", https = false }}
admin: {{ admin_http = false, admin_https = false }}
"""
ROOM_CONFIG = "general: { string_ids = true }\n"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def modules(kind, kept):
    folders = pathlib.Path("/usr/lib").glob(f"*/janus/{kind}")
    return ",".join(sorted({m.name for f in folders for m in f.glob("libjanus_*.so")} - {kept}))


class Api:
    """The HTTP API: one session with one videoroom handle for each client."""

    def __init__(self, base):
        self.base = base
        self.session = f"{base}/{self.post(base, {'janus': 'create'})['data']['id']}"
        attached = self.post(self.session, {"janus": "attach", "plugin": "janus.plugin.videoroom"})
        self.handle = f"{self.session}/{attached['data']['id']}"

    @staticmethod
    def post(url, message):
        request = urllib.request.Request(url, json.dumps(message | {"transaction": "t"}).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def ask(self, body, jsep=None):
        """Sends a plugin request; its reply, or the event that follows an acknowledgement."""
        message = {"janus": "message", "body": body} | ({"jsep": jsep} if jsep else {})
        reply = self.post(self.handle, message)
        end = time.monotonic() + 10
        while reply["janus"] != "event" and reply["janus"] != "success" and time.monotonic() < end:
            with urllib.request.urlopen(f"{self.session}?maxev=1", timeout=40) as response:
                reply = json.load(response)
        data = reply.get("plugindata", {}).get("data", {})
        if "error" in data and data.get("error_code") != 427:  # 427: the room is there already
            raise RuntimeError(data["error"])
        return reply

    def destroy(self):
        self.post(self.session, {"janus": "destroy"})


def parameters(sdp):
    """ICE and DTLS lines of the first media section (everything is bundled)."""
    first = lambda name: re.search(rf"^a={name}:(.*?)\r?$", sdp, re.M)[1]
    return [f"a=ice-ufrag:{first('ice-ufrag')}", f"a=ice-pwd:{first('ice-pwd')}", f"a=fingerprint:{first('fingerprint')}"]


def with_candidate(offer):
    offer = offer.replace("a=ice-options:trickle\r\n", "")
    return offer.replace("a=rtcp-mux\r\n", "\r\n".join(CANDIDATE) + "\r\na=rtcp-mux\r\n")


def answer_for_janus(offer, viewer):
    """An answer to the offer of janus, with the viewer's transport."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines += [line for line in offer.splitlines() if line.startswith("a=group:BUNDLE")]
    for section in re.split(r"^(?=m=)", offer, flags=re.M)[1:]:
        kept = section.splitlines()
        lines += [kept[0], "c=IN IP4 0.0.0.0", *parameters(viewer), *CANDIDATE, "a=setup:active", "a=recvonly"]
        lines += [line for line in kept if line.startswith(KEPT_LINES)]
    return "\r\n".join(lines) + "\r\n"


class Gateway(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, janus_url):
        self.janus_url = janus_url
        self.sessions = {}
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_):
        """A client that leaves does not wait for the answer to its DELETE."""

    def whip(self, room, user, offer):
        api = Api(self.janus_url)
        api.ask({"request": "create", "room": room, "publishers": 1000, "videocodec": "h264", "audiocodec": "opus",
                 "bitrate": 0})
        reply = api.ask({"request": "joinandconfigure", "room": room, "ptype": "publisher", "id": user},
                        {"type": "offer", "sdp": with_candidate(offer)})
        return api, reply["jsep"]["sdp"]

    def whep(self, room, user, offer):
        api = Api(self.janus_url)
        reply = api.ask({"request": "join", "room": room, "ptype": "subscriber", "streams": [{"feed": user}]})
        of_janus = reply["jsep"]["sdp"]
        api.ask({"request": "start"}, {"type": "answer", "sdp": answer_for_janus(of_janus, offer)})
        return api, of_janus.replace("a=setup:actpass", "a=setup:passive")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body="", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self):
        kind, _, room, user = self.path.strip("/").split("/")
        offer = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            api, answer = (self.server.whip if kind == "whip" else self.server.whep)(room, user, offer)
        except (OSError, KeyError, RuntimeError, TypeError) as error:
            return self.reply(500, str(error))
        name = f"/session/{id(api)}"
        self.server.sessions[name] = api
        return self.reply(201, answer, Location=name, Content_Type="application/sdp")

    def do_DELETE(self):
        api = self.server.sessions.pop(self.path, None)
        if api:
            try:
                api.destroy()
            except OSError:
                pass
        return self.reply(200 if api else 404)


class JanusServer:
    """The same surface as scripts/bench's own server."""
    name = "janus"
    protocol = "whip"

    def __init__(self, start, server_cpu):
        self.start, self.cpu = start, server_cpu

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="parley-bench-")
        folder = pathlib.Path(self.directory.name)
        port = free_port()
        main = MAIN_CONFIG.format(directory=folder, other_plugins=modules("plugins", "libjanus_videoroom.so"),
                                  other_transports=modules("transports", "libjanus_http.so"))
        (folder / "janus.jcfg").write_text(main)
        (folder / "janus.transport.http.jcfg").write_text(HTTP_CONFIG.format(port=port))
        (folder / "janus.plugin.videoroom.jcfg").write_text(ROOM_CONFIG)
        with (folder / "log").open("w") as log:
            self.process = self.start(["janus", "-C", folder / "janus.jcfg", "-F", folder], self.cpu, stdout=log, stderr=log)
        self.pid = self.process.pid
        janus_url = f"http://127.0.0.1:{port}/janus"
        end = time.monotonic() + 15
        while True:
            try:
                urllib.request.urlopen(janus_url + "/info", timeout=2).close()
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    text = (folder / "log").read_text(errors="replace")[-2000:]
                    self.__exit__()
                    raise RuntimeError("janus did not start:\n" + text) from None
                time.sleep(0.1)
        self.gateway = Gateway(janus_url)
        threading.Thread(target=self.gateway.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.gateway.server_address[1]}"
        return self

    def __exit__(self, *_):
        if hasattr(self, "gateway"):
            self.gateway.shutdown()
            self.gateway.server_close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.directory.cleanup()


def find():
    return JanusServer if shutil.which("janus") else None
