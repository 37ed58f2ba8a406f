#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "convert/frame.h"
#include "convert/rtp_to_opus.h"
#include "convert/rtp_to_video.h"
#include "convert/timeline.h"
#include "gateway/conversions.h"
#include "sfu/node.h"

namespace parley::gateway {

/// One track of a WebRTC publisher on its way to players: made for the first of them, shared by
/// all, gone with the last. Taps the node, puts packets together to frames, and has them converted
/// where players cannot take them as they are.
class TrackSource {
public:
    /// A sender in DTX is silent for up to 400 ms, in which a player would run dry.
    static constexpr Duration kSilence = 100ms;
    static constexpr Duration kFillBehind = 60ms;
    static constexpr Duration kFillInterval = 40ms;
    static constexpr Duration kClockInterval = 500ms;

    struct Track {
        TrackId track;
        sfu::Layer layer = sfu::Layer::kHigh;
        sfu::MediaKind kind = sfu::MediaKind::kAudio;
        sfu::Codec codec = sfu::Codec::kOpus;
        sfu::Node::PayloadTypes payload_types;
    };
    /// Null: the conversion it needs cannot be had. `clock` is the publisher's and outlives this.
    static std::unique_ptr<TrackSource> create(sfu::Node& node,
                                               Conversions& conversions,
                                               ConversionId conversion,
                                               const Track& track,
                                               convert::SenderClock& clock,
                                               Instant now);
    ~TrackSource();
    TrackSource(const TrackSource&) = delete;
    TrackSource& operator=(const TrackSource&) = delete;

    // Each appends the frames that came of it.
    void handle_packet(Instant now, media::PacketRef packet, std::vector<convert::FrameRef>& out);
    void handle_conversion(Instant now,
                           ConversionResult result,
                           std::vector<convert::FrameRef>& out);
    void handle_timeout(Instant now, std::vector<convert::FrameRef>& out);

    void want_key_frame(Instant now) { node_.want_key_frame(now, track_.track, track_.layer); }
    [[nodiscard]] const Track& track() const { return track_; }
    [[nodiscard]] ConversionId conversion() const { return conversion_; }
    [[nodiscard]] bool is_converting() const { return converting_; }
    /// The newest decoder configuration; null before the first.
    [[nodiscard]] const convert::FrameRef& config() const { return config_; }

private:
    TrackSource(sfu::Node& node,
                Conversions& conversions,
                ConversionId conversion,
                const Track& track,
                convert::SenderClock& clock);
    void read_clock(Instant now, std::uint32_t rtp_timestamp);
    void take_video(Instant now, std::vector<convert::FrameRef>& out);
    void take_audio(Instant now);
    void add_video(Instant now,
                   Instant arrived_at,
                   std::int64_t timestamp,
                   bool is_key,
                   ByteView config,
                   ByteView access_unit,
                   std::vector<convert::FrameRef>& out);
    void add_config(Instant now,
                    convert::FrameKind kind,
                    Bytes data,
                    std::vector<convert::FrameRef>& out);

    sfu::Node& node_;
    Conversions& conversions_;
    ConversionId conversion_;
    Track track_;
    convert::RtpTimeline timeline_;
    std::optional<convert::RtpToVideo> video_;
    std::optional<convert::RtpToOpus> audio_;
    convert::VideoOutputs video_out_;
    std::vector<convert::OpusSample> opus_;
    bool converting_ = false;
    std::optional<Instant> clock_at_;
    convert::FrameRef config_;
    convert::MediaTime newest_{};
    std::optional<std::uint64_t> last_opus_;  ///< extended timestamp of the newest packet
    Instant last_opus_at_{};
    Instant filled_at_{};
};

}  // namespace parley::gateway
