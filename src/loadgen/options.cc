#include "loadgen/options.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace parley::loadgen {
namespace {

/// The words of a command line, with a complaint kept for the first that cannot be used.
class Words {
public:
    Words(int argc, const char* const* argv, std::string& detail) : argc_(argc), argv_(argv), detail_(detail) {}

    bool next(std::string_view& word) {
        if (!ok_ || at_ >= argc_) return false;
        word = name_ = argv_[at_++];
        return true;
    }
    std::string text() {
        if (at_ >= argc_) {
            complain("needs a value");
            return {};
        }
        return argv_[at_++];
    }
    double number(double low, double high) {
        const std::string value = text();
        char* end = nullptr;
        const double out = std::strtod(value.c_str(), &end);
        if (ok_ && (value.empty() || *end != '\0' || !std::isfinite(out) || out < low || out > high)) {
            complain("needs a number from " + shortened(low) + " to " + shortened(high));
        }
        return ok_ ? out : low;
    }
    unsigned whole(unsigned low, unsigned high) { return static_cast<unsigned>(number(low, high)); }
    Duration seconds(double high) { return Duration(static_cast<std::int64_t>(number(0, high) * 1e9)); }
    void complain(const std::string& what) {
        if (ok_) detail_ = std::string(name_) + " " + what;
        ok_ = false;
    }
    [[nodiscard]] bool ok() const { return ok_; }

private:
    static std::string shortened(double value) {
        std::string text = std::to_string(value);
        text.erase(text.find_last_not_of('0') + 1);
        if (text.ends_with('.')) text.pop_back();
        return text;
    }
    int argc_;
    const char* const* argv_;
    std::string& detail_;
    std::string_view name_;
    int at_ = 1;
    bool ok_ = true;
};

}  // namespace

const char* usage() {
    return R"(parley bench: a population of WebRTC clients against a running server

  --url URL              base URL of the server (http://127.0.0.1:8080)
  --protocol qnrtc|whip  signalling: QNRTC over WebSocket, or WHIP and WHEP (qnrtc)
  --app ID               app of the rooms (demo)
  --access-key KEY       account that signs room tokens; also PARLEY_ACCESS_KEY
  --secret-key KEY       its secret; better by PARLEY_SECRET_KEY, which no process list shows
  --room PREFIX          rooms are PREFIX-0, PREFIX-1, ... (bench)
  --rooms N              (1)
  --publishers N         in each room (1)
  --subscribers N        in each room, besides the publishers (10)
  --mesh                 publishers also subscribe to each other, as in a meeting (QNRTC, 2 or more)
  --ramp N               joins per second (50)
  --duration S           measured seconds, once all have joined (10)
  --settle S             seconds to wait before measuring (2)
  --join-timeout S       a client that is not ready by then has failed (30)
  --kbps N               video bitrate of a publisher (1400)
  --audio-kbps N         (48)
  --audio-only, --video-only
  --layers 1|2           simulcast encodings (1)
  --max-packet N         largest RTP packet before protection (1200)
  --video FILE           H.264 in Annex B form instead of made pictures
  --audio FILE           Ogg Opus with packets of 20 ms instead of made audio
  --read-interval-us N   look at sockets only so often, so that a server on this machine does not pay
                         for waking us; arrival times are the kernel's either way (0)
  --rtmp-play URL, --flv-play URL
                         players of one live stream instead: RTMP, or FLV over HTTP; no keys needed. Given several
                         times the players take turns, at one server
  --players N            how many of them (10); --ramp, --settle, --duration and what follows apply
  --rtmp-push URL        push made pictures of --kbps and sound of --audio-kbps there first, with the time in
                         them for the delay; with no URL to play that is all, for --duration
  --pid N                server's process: its CPU time and memory are reported
  --cpu N                stay on this processor
  --json                 report as one JSON object
  --quiet                no progress on standard error
)";
}

Result<Options> parse_options(int argc, const char* const* argv, std::string& detail) {
    Options o;
    const auto environment = [](const char* name) {
        const char* const value = std::getenv(name);
        return std::string(value != nullptr ? value : "");
    };
    o.access_key = environment("PARLEY_ACCESS_KEY");
    o.secret_key = environment("PARLEY_SECRET_KEY");

    Words words(argc, argv, detail);
    std::string_view word;
    while (words.next(word)) {
        if (word == "--url") {
            o.url = words.text();
        } else if (word == "--protocol") {
            const std::string name = words.text();
            if (name == "qnrtc") {
                o.protocol = Protocol::kQnrtc;
            } else if (name == "whip") {
                o.protocol = Protocol::kWhip;
            } else {
                words.complain("is qnrtc or whip");
            }
        } else if (word == "--app") {
            o.app = words.text();
        } else if (word == "--access-key") {
            o.access_key = words.text();
        } else if (word == "--secret-key") {
            o.secret_key = words.text();
        } else if (word == "--room") {
            o.room_prefix = words.text();
        } else if (word == "--rooms") {
            o.rooms = words.whole(1, Options::kMaxClients);
        } else if (word == "--publishers") {
            o.publishers = words.whole(0, Options::kMaxClients);
        } else if (word == "--subscribers") {
            o.subscribers = words.whole(0, Options::kMaxClients);
        } else if (word == "--ramp") {
            o.joins_per_second = words.number(0.1, 10'000);
        } else if (word == "--duration") {
            o.duration = words.seconds(86'400);
        } else if (word == "--settle") {
            o.settle = words.seconds(3600);
        } else if (word == "--join-timeout") {
            o.join_timeout = words.seconds(3600);
        } else if (word == "--kbps") {
            o.video_bitrate = Bitrate::kbps(words.whole(50, 50'000));
        } else if (word == "--audio-kbps") {
            o.audio_bitrate = Bitrate::kbps(words.whole(8, 400));
        } else if (word == "--audio-only") {
            o.video = false;
        } else if (word == "--video-only") {
            o.audio = false;
        } else if (word == "--mesh") {
            o.mesh = true;
        } else if (word == "--layers") {
            o.layers = words.whole(1, 2);
        } else if (word == "--max-packet") {
            o.max_packet = words.whole(300, 1400);
        } else if (word == "--video") {
            o.video_file = words.text();
        } else if (word == "--audio") {
            o.audio_file = words.text();
        } else if (word == "--read-interval-us") {
            o.read_interval = std::chrono::microseconds(words.whole(0, 100'000));
        } else if (word == "--rtmp-play") {
            o.rtmp_play.push_back(words.text());
        } else if (word == "--flv-play") {
            o.flv_play.push_back(words.text());
        } else if (word == "--rtmp-push") {
            o.rtmp_push = words.text();
        } else if (word == "--players") {
            o.players = words.whole(1, Options::kMaxClients);
        } else if (word == "--pid") {
            o.pid = static_cast<int>(words.whole(1, 4'194'304));
        } else if (word == "--cpu") {
            o.cpu = static_cast<int>(words.whole(0, 1023));
        } else if (word == "--json") {
            o.json = true;
        } else if (word == "--quiet") {
            o.quiet = true;
        } else if (word == "--help" || word == "-h") {
            o.help = true;
        } else {
            words.complain("is not an option");
        }
    }
    if (words.ok() && !o.rtmp_play.empty() && !o.flv_play.empty()) words.complain("is one transport to play too many");
    if (words.ok() && o.mesh && (o.protocol != Protocol::kQnrtc || o.publishers < 2)) {
        words.complain("together with --mesh needs QNRTC and 2 publishers or more");
    }
    if (words.ok() && !o.audio && !o.video) words.complain("leaves no media");
    if (words.ok() && std::uint64_t{o.rooms} * (o.publishers + o.subscribers) > Options::kMaxClients) {
        words.complain("asks for more than 10000 clients");
    }
    if (!words.ok()) return fail(Errc::kMalformed, "command line");
    return o;
}

}  // namespace parley::loadgen
