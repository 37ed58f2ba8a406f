#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "convert/frame.h"
#include "convert/gop_cache.h"
#include "convert/h264_to_rtp.h"
#include "convert/timeline.h"
#include "flv/audio_tag.h"
#include "flv/message.h"
#include "flv/video_tag.h"
#include "gateway/conversions.h"
#include "gateway/video_converter.h"
#include "sfu/node.h"

namespace parley::gateway {

struct PublisherCounters {
    std::uint64_t frames = 0;
    std::uint64_t unsupported = 0;  ///< messages in a codec that is not taken, or malformed
};

/// One RTMP publish: reads its messages, keeps the newest group of pictures for players, and feeds
/// the room's tracks while a WebRTC member wants them.
///
///     FLV messages ─► RtmpTimeline ─┬─► frames for players (as they came)
///                                   ├─► H264ToRtp ──────────────────────────► node
///                                   ├─► Conversions: B pictures away ─► H264ToRtp
///                                   └─► Conversions: AAC to Opus ───────────► node
class Publisher {
public:
    /// How long the second kind of media is waited for, so that both are announced together.
    static constexpr Duration kSettle = 1s;
    /// A publish that shows no track it can use is ended after this, and so within 3 s.
    static constexpr Duration kMaxSilence = 2900ms;
    /// Sound conversion goes on this long after the last listener went.
    static constexpr Duration kLinger = 5s;
    static constexpr Duration kClockInterval = 1s;
    /// Cached pictures up to this size are sent to a first subscriber, so that it need not wait for
    /// the encoder's next key frame, which nobody can ask for.
    static constexpr std::size_t kMaxReplay = 512 * 1024;

    struct Context {
        sfu::Node& node;
        media::PacketPool& pool;
        Conversions& conversions;
        NtpTime ntp;  ///< of its first frame
    };
    /// What its conversions are called.
    struct ConversionIds {
        ConversionId audio;
        ConversionId video;
    };
    Publisher(
        Context context, StreamId stream, ConversionIds ids, Instant now, std::uint32_t offset);
    ~Publisher();
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;

    /// The frame for players, if it is one.
    convert::FrameRef handle_message(Instant now,
                                     const flv::Message& message,
                                     sfu::NodeOutputs& out);
    void handle_timeout(Instant now, sfu::NodeOutputs& out);
    /// The room has made a track of what was found.
    void handle_track(const sfu::AddLocalTrack& track);
    void handle_conversion(Instant now, const ConversionResult& result, sfu::NodeOutputs& out);

    /// Kinds that are there and were not yet told; each is given out once, both together if they
    /// come within `kSettle`.
    [[nodiscard]] std::vector<sfu::MediaKind> take_found(Instant now);
    /// Nothing usable has come for too long.
    [[nodiscard]] bool is_useless(Instant now) const;

    [[nodiscard]] StreamId stream() const { return stream_; }
    /// Players can take its messages as they are, times and all: H.264 and AAC. Other codecs reach
    /// them by way of the node, like those of browsers.
    [[nodiscard]] bool is_for_players() const { return !is_opus_ && !is_foreign(); }
    /// For its tracks that reach players by way of the node, beside others that do not.
    [[nodiscard]] convert::SenderClock sender_clock() const {
        return {timeline_.ntp_at({}, context_.ntp), timeline_.zero_at()};
    }
    [[nodiscard]] ConversionIds conversions() const { return {conversion_, converter_.id()}; }
    [[nodiscard]] std::optional<TrackId> track(sfu::MediaKind kind) const {
        return kind == sfu::MediaKind::kAudio ? audio_.track : video_.track;
    }
    [[nodiscard]] const convert::GopCache& cache() const { return cache_; }
    [[nodiscard]] std::size_t open_conversions() const {
        return (converting_ ? 1U : 0U) + (converter_.is_open() ? 1U : 0U);
    }
    /// What somebody wants and no codec is free for, once each time.
    [[nodiscard]] std::optional<sfu::MediaKind> take_refused();
    /// For a player who is to get `kind` by way of the node. False: no codec is free for it.
    [[nodiscard]] bool prepare(Instant now, sfu::MediaKind kind);
    [[nodiscard]] const PublisherCounters& counters() const { return counters_; }

private:
    struct Side {
        std::optional<Instant> seen_at;
        bool told = false;
        std::optional<TrackId> track;
        std::optional<Instant> clock_at;
        std::optional<Instant> wanted_at;  ///< a WebRTC member listened or looked then
    };
    convert::FrameRef handle_video(Instant now, const flv::Message& message, sfu::NodeOutputs& out);
    convert::FrameRef handle_audio(Instant now, const flv::Message& message, sfu::NodeOutputs& out);
    void send_video(Instant now,
                    const convert::Frame& frame,
                    ByteView access_unit,
                    sfu::NodeOutputs& out);
    [[nodiscard]] std::vector<convert::FrameRef> cached_pictures() const;
    void replay(Instant now, const convert::Frame& next, sfu::NodeOutputs& out);
    void convert_video(Instant now, const convert::Frame& frame, ByteView access_unit);
    [[nodiscard]] bool open_video(Instant now, bool is_key);
    [[nodiscard]] bool open_sound(Instant now);
    [[nodiscard]] bool set_video_config(const flv::VideoTag& tag);
    [[nodiscard]] bool is_foreign() const {
        return must_convert_ && *must_convert_ != ConversionKind::kH264ToH264;
    }
    convert::FrameRef handle_opus_message(Instant now,
                                          const flv::AudioTag& tag,
                                          const flv::Message& message,
                                          sfu::NodeOutputs& out);
    void handle_opus(Instant now, const ConversionResult& result, sfu::NodeOutputs& out);
    void send_opus(Instant now,
                   Instant arrived_at,
                   std::int64_t ticks,
                   ByteView payload,
                   std::optional<std::uint8_t> audio_level,
                   sfu::NodeOutputs& out);
    void handle_pictures(Instant now, const ConversionResult& result, sfu::NodeOutputs& out);
    void packetize(Instant now,
                   convert::MediaTime pts,
                   bool is_key,
                   ByteView access_unit,
                   sfu::NodeOutputs& out);
    void state_clock(Instant now, Side& side, convert::MediaTime time, std::uint32_t rtp_timestamp);
    [[nodiscard]] std::uint32_t audio_timestamp(std::int64_t ticks) const {
        return static_cast<std::uint32_t>(ticks) + offset_;
    }

    Context context_;
    StreamId stream_;
    ConversionId conversion_;
    std::uint32_t offset_;
    Instant started_at_;
    convert::RtmpTimeline timeline_;
    convert::H264ToRtp rtp_;
    convert::GopCache cache_;
    Side audio_;
    Side video_;
    Bytes aac_config_;
    Bytes video_config_;
    bool converting_ = false;
    bool sound_refused_ = false;             ///< has not been told yet
    std::optional<Instant> sound_tried_at_;  ///< refused then
    VideoConverter converter_;
    /// WebRTC cannot take the pictures as they are: another codec, or B pictures are references;
    /// that is known once somebody looked, until the next other sequence header.
    std::optional<ConversionKind> must_convert_;
    bool is_opus_ = false;
    std::optional<std::int64_t> opus_ticks_;  ///< where the next packet begins, if none is lost
    std::uint64_t audio_sequence_ = 1 << 16;
    std::vector<media::PacketRef> packets_;
    PublisherCounters counters_;
};

}  // namespace parley::gateway
