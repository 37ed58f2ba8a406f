#pragma once

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "flv/audio_tag.h"
#include "flv/video_tag.h"
#include "rtmp/client_connection.h"
#include "rtmp/server_connection.h"

namespace parley::rtmp {

inline constexpr Instant kStart = Instant(1000s);

template <class T>
std::vector<T> all(const std::vector<Event>& events) {
    std::vector<T> found;
    for (const Event& event : events) {
        if (const T* one = std::get_if<T>(&event)) found.push_back(*one);
    }
    return found;
}

template <class T>
bool has(const std::vector<Event>& events) {
    return !all<T>(events).empty();
}

inline flv::Message video(std::int64_t timestamp_ms, std::size_t size = 100, bool key = false) {
    Bytes nal(size);
    for (std::size_t i = 0; i < size; ++i)
        nal[i] = static_cast<std::uint8_t>(i * 31 + static_cast<std::size_t>(timestamp_ms));
    return {.kind = flv::MediaKind::kVideo,
            .timestamp_ms = timestamp_ms,
            .payload = flv::make_payload(flv::write_avc_frame(key, 0, nal))};
}

inline flv::Message audio(std::int64_t timestamp_ms, std::size_t size = 40) {
    return {.kind = flv::MediaKind::kAudio,
            .timestamp_ms = timestamp_ms,
            .payload = flv::make_payload(
                flv::write_aac_frame(Bytes(size, static_cast<std::uint8_t>(timestamp_ms))))};
}

/// A client and a server joined in memory: what one sends the other reads, in pieces of at most
/// `piece` bytes.
class Joined {
public:
    explicit Joined(const ClientConfig& client_config,
                    std::size_t piece = 1 << 20,
                    const ServerConfig& server_config = {})
        : piece_(piece),
          server_(server_config, Rng(1), kStart),
          client_(client_config, Rng(2), kStart, client_out_) {}

    /// Carries bytes both ways until nothing moves.
    void run() {
        bool moved = true;
        while (moved) {
            moved = move(client_out_, server_, server_out_, server_events_);
            if (move(server_out_, client_, client_out_, client_events_)) moved = true;
        }
    }
    /// Up to the server's decision, which is yes.
    MessageStreamId start() {
        run();
        MessageStreamId stream;
        for (const Event& event : server_events_) {
            if (const auto* publish = std::get_if<PublishRequested>(&event)) {
                stream = publish->stream;
                server_.accept_publish(now_, stream, server_out_);
            } else if (const auto* play = std::get_if<PlayRequested>(&event)) {
                stream = play->stream;
                server_.accept_play(now_, stream, server_out_);
            }
        }
        collect();
        run();
        return stream;
    }
    void collect() {
        take(server_out_, server_events_);
        take(client_out_, client_events_);
    }
    std::vector<Event> take_server_events() { return std::exchange(server_events_, {}); }
    std::vector<Event> take_client_events() { return std::exchange(client_events_, {}); }

    ServerConnection& server() { return server_; }
    ClientConnection& client() { return client_; }
    Outputs& server_out() { return server_out_; }
    Outputs& client_out() { return client_out_; }
    const std::vector<Event>& server_events() const { return server_events_; }
    const std::vector<Event>& client_events() const { return client_events_; }
    Instant now() const { return now_; }
    void advance(Duration by) { now_ += by; }

private:
    static void take(Outputs& out, std::vector<Event>& events) {
        events.insert(events.end(), out.events.begin(), out.events.end());
        out.events.clear();
    }
    template <class To>
    bool move(Outputs& from, To& to, Outputs& to_out, std::vector<Event>& events) {
        if (from.send.empty()) return false;
        const Bytes bytes = from.send.flatten();
        from.send.clear();
        for (std::size_t at = 0; at < bytes.size(); at += piece_) {
            to.handle_bytes(
                now_, ByteView(bytes).subspan(at, std::min(piece_, bytes.size() - at)), to_out);
        }
        take(to_out, events);
        return true;
    }

    std::size_t piece_;
    Instant now_ = kStart;
    Outputs server_out_;
    Outputs client_out_;
    std::vector<Event> server_events_;
    std::vector<Event> client_events_;
    ServerConnection server_;
    ClientConnection client_;
};

}  // namespace parley::rtmp
