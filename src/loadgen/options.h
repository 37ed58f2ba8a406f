#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/units.h"

namespace parley::loadgen {

enum class Protocol : std::uint8_t { kQnrtc, kWhip };

/// What `parley bench` is asked to do.
struct Options {
    std::string url = "http://127.0.0.1:8080";
    Protocol protocol = Protocol::kQnrtc;
    std::string app = "demo";
    std::string access_key;
    std::string secret_key;
    std::string room_prefix = "bench";
    unsigned rooms = 1;
    unsigned publishers = 1;    ///< in each room
    unsigned subscribers = 10;  ///< in each room, besides the publishers
    bool mesh = false;          ///< publishers also subscribe to each other
    double joins_per_second = 50;
    Duration duration = 10s;    ///< of the measurement, after all have joined
    Duration settle = 2s;       ///< before it
    Duration join_timeout = 30s;
    Bitrate video_bitrate = Bitrate::kbps(1400);
    Bitrate audio_bitrate = Bitrate::kbps(48);
    bool audio = true;
    bool video = true;
    unsigned layers = 1;
    std::size_t max_packet = 1200;
    std::string video_file;     ///< Annex B
    std::string audio_file;     ///< Ogg Opus, packets of 20 ms
    Duration read_interval{};   ///< sockets are looked at this often; zero: at once
    /// With one of these the clients are players of one live stream, and nothing above about rooms counts.
    std::vector<std::string> rtmp_play;  ///< the players take turns; all at one server
    std::vector<std::string> flv_play;   ///< http://…
    std::string rtmp_push;      ///< made media with stamps go here, so that delay is measured; alone: nobody plays
    unsigned players = 10;
    int pid = 0;                ///< server under test, 0: not looked at
    int cpu = -1;               ///< processor to stay on
    bool json = false;
    bool quiet = false;
    bool help = false;

    /// Clients of one process: their sockets have to fit, and one thread has to serve them.
    static constexpr unsigned kMaxClients = 10'000;
};

/// `argv[0]` is not looked at. On failure `detail` says what is wrong.
Result<Options> parse_options(int argc, const char* const* argv, std::string& detail);
const char* usage();

}  // namespace parley::loadgen
