#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "convert/rtp_reorder.h"
#include "media/packet.h"
#include "rtp/h264_depacketizer.h"
#include "rtp/sequence.h"

namespace parley::convert {

/// One coded picture out of RTP.
struct VideoSample {
    rtp::ExtTimestamp timestamp = 0;  ///< 90 kHz, never wraps
    bool is_key_frame = false;
    Instant arrived_at{};  ///< when the packet that completes it came
    /// H.264: NAL units behind four-byte lengths, without parameter sets and delimiters, SEI kept.
    /// VP8, VP9: the frame. AV1: a temporal unit in low-overhead format (every OBU with its size).
    Bytes data;
    /// H.264: the configuration record from here on, with the first sample and whenever it changes;
    /// else null.
    std::shared_ptr<const Bytes> config;
};

/// What both readers append.
struct VideoOutputs {
    std::vector<VideoSample> samples;
    bool needs_key_frame =
        false;  ///< ask the publisher; set again every `key_frame_interval` while it lacks
    void clear() {
        samples.clear();
        needs_key_frame = false;
    }
};

enum class RtpVideoCodec : std::uint8_t { kH264, kVp8, kVp9, kAv1 };

/// RTP packets of one encoding to whole pictures. Starts at a key frame; after a loss that is not
/// repaired in time it drops until the next one and asks for it. The pictures' references are
/// complete at all times, so that a player never shows a broken picture.
class RtpToVideo {
public:
    static constexpr std::size_t kMaxFrameSize = 4 * 1024 * 1024;

    struct Config {
        RtpVideoCodec codec = RtpVideoCodec::kH264;
        RtpReorder::Config reorder;
        Duration key_frame_interval = 1s;  ///< between two requests
    };
    struct Stats {
        std::uint64_t samples = 0;
        std::uint64_t key_frames = 0;
        std::uint64_t dropped = 0;  ///< pictures without their references, or damaged
        std::uint64_t config_changes = 0;
    };

    explicit RtpToVideo(const Config& config);

    void handle_packet(Instant now, media::PacketRef packet, VideoOutputs& out);
    void handle_timeout(Instant now, VideoOutputs& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    /// The packets to come are of another encoding: forget the old ones and begin at a key frame.
    /// The time stamps of all encodings of a track share one clock (RFC 8853), so they go on.
    void handle_layer_switch(Instant now, VideoOutputs& out);
    [[nodiscard]] const Stats& stats() const { return stats_; }
    [[nodiscard]] const RtpReorder::Stats& reorder_stats() const { return reorder_.stats(); }

private:
    void handle_items(Instant now, VideoOutputs& out);
    void handle_h264(Instant now, const RtpReorder::Item& item, VideoOutputs& out);
    void handle_other(Instant now, const RtpReorder::Item& item, VideoOutputs& out);
    void finish_h264(Instant now,
                     const rtp::H264AccessUnit& unit,
                     Instant arrived_at,
                     VideoOutputs& out);
    void finish_other(Instant now, Instant arrived_at, VideoOutputs& out);
    void deliver(Instant now, VideoSample sample, VideoOutputs& out);
    [[nodiscard]] bool append_other(const media::Packet& packet);
    [[nodiscard]] bool append_av1(ByteView payload);
    void close_obu();
    void lose_references(Instant now, VideoOutputs& out);
    void ask(Instant now, VideoOutputs& out);
    [[nodiscard]] bool is_frame_start(ByteView payload) const;
    [[nodiscard]] bool is_key_frame_start(ByteView payload) const;
    void remember_parameter_set(ByteView nal);
    [[nodiscard]] std::shared_ptr<const Bytes> take_changed_config();

    Config config_;
    RtpReorder reorder_;
    std::vector<RtpReorder::Item> items_;
    rtp::TimestampUnwrapper timestamps_;
    bool wants_key_frame_ = true;
    std::optional<Instant> next_request_;
    Stats stats_;

    // H.264
    rtp::H264Depacketizer h264_;
    std::uint64_t h264_damage_ = 0;
    rtp::ExtSeq h264_sequence_ = 0;
    bool lost_padding_ = false;  ///< a packet of padding, which nobody handles, came after a gap
    std::map<std::uint32_t, Bytes> sps_;  ///< by id, at most 32
    std::map<std::uint32_t, Bytes> pps_;  ///< by id, at most 256
    bool config_changed_ = false;
    std::shared_ptr<const Bytes> config_record_;

    // VP8, VP9, AV1: the frame in hand
    enum class State : std::uint8_t { kEmpty, kCollects, kDamaged };
    State state_ = State::kEmpty;
    Bytes frame_;
    Bytes obu_;  ///< AV1: one that goes on in the next packet
    bool obu_open_ = false;
    std::uint32_t frame_timestamp_ = 0;
    bool frame_is_key_ = false;
};

}  // namespace parley::convert
