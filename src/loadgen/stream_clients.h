#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/rng.h"
#include "base/units.h"
#include "flv/stream.h"
#include "loadgen/h264_source.h"
#include "loadgen/histogram.h"
#include "loadgen/tcp_client.h"
#include "loadgen/url.h"
#include "rtmp/client_connection.h"

namespace parley::loadgen {

/// What all players of one run count together.
struct StreamTotals {
    std::uint64_t bytes = 0;     ///< as TCP payload
    std::uint64_t messages = 0;  ///< audio, video and data
    std::uint64_t pictures = 0;
    std::uint64_t key_pictures = 0;
    std::uint64_t skipped_pictures =
        0;  ///< gaps in the numbering of stamps: left out by the server
    std::uint64_t backward_timestamps = 0;
    bool measuring = false;  ///< the histogram of delays takes values only then
    Histogram
        delay;  ///< of pictures, from the pusher's send call to our read, where they have stamps
    Histogram sound_delay;    ///< the same of sound
    Histogram first_picture;  ///< from connect to the first key picture
};

/// What one player makes of the messages it gets, whatever carries them.
class StreamWatcher {
public:
    explicit StreamWatcher(StreamTotals& totals) : totals_(totals) {}
    void start(Instant now) { started_at_ = now; }
    void handle(Instant now, const flv::Message& message);
    [[nodiscard]] bool has_picture() const { return has_picture_; }

private:
    StreamTotals& totals_;
    Instant started_at_;
    bool has_picture_ = false;
    std::int64_t last_ms_ = 0;
    std::optional<std::uint16_t> last_frame_;
};

enum class StreamState : std::uint8_t { kIdle, kConnecting, kPlaying, kFailed };

/// One connection that plays.
class StreamPlayer : public TcpClient {
public:
    StreamPlayer(Loop& loop, StreamTotals& totals)
        : TcpClient(loop), totals_(totals), watcher_(totals) {}

    void start(Instant now, const SocketAddress& to);
    [[nodiscard]] StreamState state() const { return state_; }
    [[nodiscard]] const std::string& failure() const { return failure_; }

protected:
    void on_closed(const char* why) override;
    void take(Instant now, const flv::Message& message);
    void fail_with_reason(std::string why);

    StreamTotals& totals_;

private:
    StreamWatcher watcher_;
    StreamState state_ = StreamState::kIdle;
    std::string failure_;
};

class RtmpPlayer final : public StreamPlayer {
public:
    RtmpPlayer(Loop& loop, StreamTotals& totals, const rtmp::RtmpUrl& url, Rng rng)
        : StreamPlayer(loop, totals), url_(url), rng_(rng) {}

private:
    void on_connected() override;
    void on_data() override;
    void drain(Instant now);

    const rtmp::RtmpUrl& url_;
    Rng rng_;
    rtmp::Outputs out_;
    std::optional<rtmp::ClientConnection> connection_;
};

/// HTTP/1.1 GET; the body with a length, chunked, or up to the end.
class FlvPlayer final : public StreamPlayer {
public:
    FlvPlayer(Loop& loop, StreamTotals& totals, const Url& url)
        : StreamPlayer(loop, totals), url_(url) {}

private:
    enum class Body : std::uint8_t { kHead, kPlain, kChunkSize, kChunk, kChunkEnd };

    void on_connected() override;
    void on_data() override;
    /// False when the head is not whole, or refused.
    bool read_head();
    void feed(Instant now, std::string_view bytes);

    const Url& url_;
    Body body_ = Body::kHead;
    std::size_t chunk_left_ = 0;
    std::size_t kept_ = 0;  ///< counted bytes that still wait in `received_`
    flv::StreamReader reader_;
};

/// Publishes made media with stamps, at its true pace: pictures, and silent AAC frames where
/// `sound` is above 0.
class RtmpPusher final : public TcpClient {
public:
    RtmpPusher(Loop& loop, const rtmp::RtmpUrl& url, Bitrate pictures, Bitrate sound, Rng rng);

    [[nodiscard]] bool is_started() const { return connection_ && connection_->is_started(); }
    [[nodiscard]] const std::string& failure() const { return failure_; }
    void stop(Instant now);

private:
    /// TcpClient has no timer of its own.
    class Pacer final : public Loop::Handler {
    public:
        explicit Pacer(RtmpPusher& pusher) : pusher_(pusher) {}
        void handle_io(Instant, bool, bool) override {}
        void handle_timer(Instant now) override { pusher_.send_due(now); }

    private:
        RtmpPusher& pusher_;
    };

    void on_connected() override;
    void on_data() override;
    void on_closed(const char* why) override { failure_ = why; }
    void send_due(Instant now);
    void send_picture();
    void send_sound();
    void drain();

    Loop& loop_;
    const rtmp::RtmpUrl& url_;
    Bitrate sound_;
    Rng rng_;
    H264Source source_;
    Pacer pacer_;
    rtmp::Outputs out_;
    std::optional<rtmp::ClientConnection> connection_;
    std::string failure_;
    std::uint64_t pictures_ = 0;
    std::uint64_t sounds_ = 0;
    Instant first_at_;
};

}  // namespace parley::loadgen
