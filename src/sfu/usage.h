#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "sfu/quality.h"

/// What members send and receive, for billing: counted where packets pass, added up elsewhere.
namespace parley::sfu {

/// Whose media something is. The node only hands it back with what it has counted.
struct Owner {
    std::string app_id;
    std::string room;
    std::string user_id;
    friend bool operator==(const Owner&, const Owner&) = default;
};
using OwnerRef = std::shared_ptr<const Owner>;

/// Datagrams and their UDP payloads as they are on the wire, without IP and UDP headers: media,
/// RTX, RTCP, STUN and DTLS. Over ICE-TCP the frames without their length fields (RFC 4571); of
/// RTMP and FLV the bytes of the TCP stream, inside TLS if there is some, and no packets. In: what
/// was authenticated, and DTLS from a proven path, so that nobody else can run up a bill. Out: what
/// was handed to the kernel.
struct Traffic {
    std::uint64_t packets_in = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t packets_out = 0;
    std::uint64_t bytes_out = 0;

    void add_in(std::uint64_t bytes) {
        ++packets_in;
        bytes_in += bytes;
    }
    void add_out(std::uint64_t packets, std::uint64_t bytes) {
        packets_out += packets;
        bytes_out += bytes;
    }
    Traffic& operator+=(const Traffic& other) {
        packets_in += other.packets_in;
        bytes_in += other.bytes_in;
        packets_out += other.packets_out;
        bytes_out += other.bytes_out;
        return *this;
    }
    friend bool operator==(const Traffic&, const Traffic&) = default;
};

/// Pictures by their number of pixels, so that a portrait costs what a landscape does: up to
/// 640x480, 1280x720, 1920x1080, and above. One whose size is not known counts as the first.
enum class VideoTier : std::uint8_t { kSd, kHd, kFhd, kUhd };
inline constexpr std::size_t kVideoTiers = 4;
[[nodiscard]] constexpr VideoTier tier_of(std::uint32_t width, std::uint32_t height) {
    const std::uint64_t pixels = std::uint64_t{width} * height;
    if (pixels <= 640 * 480) return VideoTier::kSd;
    if (pixels <= 1280 * 720) return VideoTier::kHd;
    return pixels <= 1920 * 1080 ? VideoTier::kFhd : VideoTier::kUhd;
}

/// How long media ran, each track for itself: two pictures for a minute are two minutes.
struct MediaTime {
    Duration audio{};
    std::array<Duration, kVideoTiers> video{};

    MediaTime& operator+=(const MediaTime& other) {
        audio += other.audio;
        for (std::size_t i = 0; i < kVideoTiers; ++i) video[i] += other.video[i];
        return *this;
    }
    friend bool operator==(const MediaTime&, const MediaTime&) = default;
};

struct Usage {
    Traffic traffic;
    MediaTime published;
    MediaTime subscribed;

    Usage& operator+=(const Usage& other) {
        traffic += other.traffic;
        published += other.published;
        subscribed += other.subscribed;
        return *this;
    }
    [[nodiscard]] bool is_empty() const { return *this == Usage{}; }
    friend bool operator==(const Usage&, const Usage&) = default;
};

/// The time of one stream, from packet to packet; a silence of `kMaxGap` or more does not count.
/// Cheap enough for each packet.
class ActiveTime {
public:
    static constexpr Duration kMaxGap = 2s;

    /// Media of this time. `tier` means nothing to audio.
    void handle_media(Instant at, VideoTier tier = VideoTier::kSd) {
        if (const Duration gap = at - last_; gap < kMaxGap) {
            if (gap <= Duration::zero()) return;  // reordered
            time_[static_cast<std::size_t>(tier)] += gap;
        }
        last_ = at;
    }
    /// Moves what was counted to `to`.
    void move_to(MediaTime& to, bool is_video) {
        for (std::size_t i = 0; i < kVideoTiers; ++i) {
            (is_video ? to.video[i] : to.audio) += time_[i];
            time_[i] = {};
        }
    }

private:
    Instant last_ = Instant() - std::chrono::hours(24);  ///< before any that there is
    std::array<Duration, kVideoTiers> time_{};
};

/// The length of one report; reports begin at multiples of it (Unix time).
inline constexpr Duration kReportGrain = 10s;

/// What one peer did since its last report. Local tracks report without a peer, for their
/// publisher.
struct PeerReport {
    PeerId peer;
    OwnerRef owner;
    Usage usage;
    QualitySample quality;
    bool is_last = false;  ///< the peer is gone
};

}  // namespace parley::sfu
