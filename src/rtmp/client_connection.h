#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/rng.h"
#include "base/time.h"
#include "flv/message.h"
#include "rtmp/events.h"

namespace parley::rtmp {

enum class ClientMode : std::uint8_t { kPublish, kPlay };

struct ClientConfig {
    ClientMode mode = ClientMode::kPlay;
    std::string app;
    std::string tc_url;  ///< rtmp://host[:port]/app
    std::string stream_name;
    std::string flash_ver = "FMLE/3.0 (compatible; Parley)";
    bool digest_handshake = false;
    std::uint32_t chunk_size = 60'000;
    std::uint32_t buffer_length_ms = 100;
    Duration start_timeout = 10s;  ///< from the beginning to Started
    Duration idle_timeout = 60s;   ///< without a byte from the server while playing
};

/// A URL in its parts, as the common libraries split it: `rtmp://host[:port]/app/stream?query`; the
/// app is one path segment. An empty path gives empty names.
struct RtmpUrl {
    bool tls = false;
    std::string host;
    std::uint16_t port = 1935;
    std::string app;
    std::string stream_name;
    std::string tc_url;
};
[[nodiscard]] std::optional<RtmpUrl> parse_rtmp_url(std::string_view url);

/// Our end of an RTMP connection to another server: publishes or plays one stream. Events: Started,
/// MediaMessage, StatusReceived, Closed.
class ClientConnection {
public:
    /// The first handshake bytes go to `out` at once.
    ClientConnection(const ClientConfig& config, Rng rng, Instant now, Outputs& out);
    ~ClientConnection();
    ClientConnection(ClientConnection&&) noexcept;
    ClientConnection& operator=(ClientConnection&&) noexcept;

    void handle_bytes(Instant now, ByteView bytes, Outputs& out);
    void handle_timeout(Instant now, Outputs& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// False before Started and when we play.
    bool send_media(const flv::Message& message, std::int64_t timestamp_ms, Outputs& out);
    /// Player: pause or go on.
    void pause(bool on, std::int64_t timestamp_ms, Outputs& out);
    /// FCUnpublish, closeStream, deleteStream; then closed.
    void close(Instant now, Outputs& out);

    [[nodiscard]] bool is_started() const;
    [[nodiscard]] bool is_closed() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace parley::rtmp
