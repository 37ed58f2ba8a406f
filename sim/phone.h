#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "rtmp/client_connection.h"
#include "sim/belief.h"
#include "sim/checker.h"
#include "sim/clock.h"
#include "sim/media_peer.h"

namespace parley::sim {

class Phone;

/// What a phone's network gives it.
class PhoneNetwork {
public:
    virtual ~PhoneNetwork() = default;
    virtual std::uint64_t open_session(const Phone& phone) = 0;
    virtual void say(const Phone& phone, std::uint64_t session, std::string text) = 0;
    /// A TCP connection to the RTMP port.
    virtual std::uint64_t open_stream(const Phone& phone) = 0;
    virtual void close_stream(std::uint64_t stream) = 0;
};

/// A mini program in a room, as far as the server can tell: it joins, pushes what it has by one
/// RTMP connection, and plays everybody it hears of by one each. Lost connections are tried again.
class Phone {
public:
    struct Config {
        std::string user;
        std::string room;
        std::string token;
        NodeClock clock;
        std::uint32_t audio_source = 0;  ///< unique in the world; 0: no microphone
        std::uint32_t video_source = 0;
    };
    /// One player, and what it has seen.
    struct Playing {
        std::string owner;
        std::set<std::string> tracks;
        bool started = false;
        std::optional<FramePart> picture;  ///< the newest
        std::optional<FramePart> sound;
        Instant picture_at;
        Instant sound_at;
        Duration longest_pause{};  ///< between two pictures, once it has had two
        std::int64_t last_ms = 0;
    };

    Phone(Config config, Rng rng, PhoneNetwork& network, Checker& checker)
        : config_(std::move(config)), rng_(rng), network_(network), checker_(checker) {}

    void tick(Instant now);
    void handle_text(Instant now, std::uint64_t session, std::string_view text);
    void handle_close(Instant now, std::uint64_t session);
    void leave();

    // Streams, moved by the world.
    [[nodiscard]] std::vector<std::uint64_t> streams() const;
    Bytes output(std::uint64_t stream, std::size_t size);
    void input(Instant now, std::uint64_t stream, ByteView bytes);
    void handle_gone(Instant now, std::uint64_t stream);
    /// It reads nothing until then: a frozen app.
    void stall(Instant until) { stalled_until_ = until; }
    [[nodiscard]] bool is_stalled(Instant now) const { return now < stalled_until_; }

    [[nodiscard]] const Config& config() const { return config_; }
    [[nodiscard]] bool is_member() const { return is_member_; }
    [[nodiscard]] std::uint64_t session() const { return session_; }
    [[nodiscard]] const Belief& belief() const { return belief_; }
    [[nodiscard]] bool is_pushing() const;
    /// Everybody whom it should play, and what has come of it.
    [[nodiscard]] std::map<std::string, const Playing*> playing() const;

private:
    struct Stream {
        Stream(const rtmp::ClientConfig& config, Rng rng, Instant now)
            : core(config, rng, now, out) {}
        rtmp::Outputs out;
        rtmp::ClientConnection core;
        bool publishes = false;
        bool started = false;
        bool has_headers = false;
        Playing playing;
    };

    void join(Instant now);
    void forget_streams();
    std::uint64_t connect(Instant now, const std::string& query, bool publishes);
    void arrange(Instant now);
    void push(Instant now);
    void push_picture(Stream& stream, std::int64_t ms, std::uint32_t captured_ms);
    void handle_media(Instant now, Playing& playing, const flv::Message& message);
    void handle_picture(Instant now, Playing& playing, ByteView avcc);
    void handle_sound(Instant now, Playing& playing, ByteView frame);

    Config config_;
    Rng rng_;
    PhoneNetwork& network_;
    Checker& checker_;
    std::uint64_t session_ = 0;
    bool is_member_ = false;
    bool has_left_ = false;
    std::string rtmptoken_;
    bool resumes_ = false;  ///< the answer that comes is to an old token
    Belief belief_;
    Instant retry_session_at_;
    std::map<std::uint64_t, std::unique_ptr<Stream>> streams_;
    std::map<std::string, Instant> retry_at_;  ///< by owner; "" is the push
    Instant stalled_until_;
    std::uint32_t picture_ = 0;
    std::uint32_t sound_ = 0;
    bool wants_key_ = true;
    std::optional<Instant> pushed_since_;
    Instant picture_due_;
    Instant sound_due_;
};

}  // namespace parley::sim
