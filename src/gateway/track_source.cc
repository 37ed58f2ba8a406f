#include "gateway/track_source.h"

#include <utility>

#include "flv/audio_tag.h"
#include "flv/video_tag.h"

namespace parley::gateway {
namespace {

using convert::FrameRef;

constexpr std::int64_t kOpusTicksPerMs = 48;

std::optional<convert::RtpVideoCodec> reader_for(sfu::Codec codec) {
    switch (codec) {
        case sfu::Codec::kH264:
            return convert::RtpVideoCodec::kH264;
        case sfu::Codec::kVp8:
            return convert::RtpVideoCodec::kVp8;
        case sfu::Codec::kVp9:
            return convert::RtpVideoCodec::kVp9;
        case sfu::Codec::kAv1:
            return convert::RtpVideoCodec::kAv1;
        case sfu::Codec::kOpus:
            return std::nullopt;
    }
    return std::nullopt;
}

/// Nullopt: players take it as it is.
std::optional<ConversionKind> conversion_for(sfu::Codec codec) {
    switch (codec) {
        case sfu::Codec::kOpus:
            return ConversionKind::kOpusToAac;
        case sfu::Codec::kH264:
            return std::nullopt;
        case sfu::Codec::kVp8:
            return ConversionKind::kVp8ToH264;
        case sfu::Codec::kVp9:
            return ConversionKind::kVp9ToH264;
        case sfu::Codec::kAv1:
            return ConversionKind::kAv1ToH264;
    }
    return std::nullopt;
}

}  // namespace

std::unique_ptr<TrackSource> TrackSource::create(sfu::Node& node,
                                                 Conversions& conversions,
                                                 ConversionId conversion,
                                                 const Track& track,
                                                 convert::SenderClock& clock,
                                                 Instant now) {
    std::unique_ptr<TrackSource> source(
        new TrackSource(node, conversions, conversion, track, clock));
    if (const auto kind = conversion_for(track.codec)) {
        source->converting_ = conversions.open(conversion, *kind);
        if (!source->converting_) return nullptr;
    }
    if (!node.add_tap(now, track.track, track.layer)) return nullptr;
    return source;
}

TrackSource::TrackSource(sfu::Node& node,
                         Conversions& conversions,
                         ConversionId conversion,
                         const Track& track,
                         convert::SenderClock& clock)
    : node_(node),
      conversions_(conversions),
      conversion_(conversion),
      track_(track),
      timeline_(sfu::clock_rate(track.kind), clock) {
    if (const auto codec = reader_for(track.codec)) {
        video_.emplace(convert::RtpToVideo::Config{.codec = *codec});
    } else {
        audio_.emplace(convert::RtpToOpus::Config{.opus = track.payload_types.media,
                                                  .red = track.payload_types.red});
    }
}

TrackSource::~TrackSource() {
    node_.remove_tap(track_.track, track_.layer);
    if (converting_) conversions_.close(conversion_);
}

void TrackSource::handle_packet(Instant now, media::PacketRef packet, std::vector<FrameRef>& out) {
    read_clock(now, packet->rtp_timestamp);
    if (video_) {
        video_->handle_packet(now, std::move(packet), video_out_);
        take_video(now, out);
    } else {
        audio_->handle_packet(now, std::move(packet), opus_);
        take_audio(now);
    }
}

void TrackSource::read_clock(Instant now, std::uint32_t rtp_timestamp) {
    if (clock_at_ && now - *clock_at_ < kClockInterval) return;
    const rtcp::ClockMapping* clock = node_.clock_of(track_.track, track_.layer);
    if (clock == nullptr || !clock->is_known()) return;
    clock_at_ = now;
    if (const auto ntp = clock->ntp_at(rtp_timestamp)) {
        timeline_.handle_sender_report(now, *ntp, rtp_timestamp);
    }
}

void TrackSource::take_video(Instant now, std::vector<FrameRef>& out) {
    if (video_out_.needs_key_frame) want_key_frame(now);
    for (convert::VideoSample& sample : video_out_.samples) {
        const auto timestamp = static_cast<std::int64_t>(sample.timestamp);
        if (converting_) {
            conversions_.submit(conversion_,
                                {ConversionInput::What::kFrame,
                                 timestamp,
                                 false,
                                 std::move(sample.data),
                                 sample.arrived_at});
            continue;
        }
        const ByteView config = sample.config ? ByteView(*sample.config) : ByteView();
        add_video(now, sample.arrived_at, timestamp, sample.is_key_frame, config, sample.data, out);
    }
    video_out_.clear();
}

void TrackSource::take_audio(Instant now) {
    for (convert::OpusSample& sample : opus_) {
        last_opus_ = sample.timestamp;
        last_opus_at_ = now;
        conversions_.submit(conversion_,
                            {ConversionInput::What::kFrame,
                             static_cast<std::int64_t>(sample.timestamp),
                             sample.after_loss,
                             std::move(sample.data),
                             sample.arrived_at});
    }
    opus_.clear();
}

void TrackSource::add_video(Instant now,
                            Instant arrived_at,
                            std::int64_t timestamp,
                            bool is_key,
                            ByteView config,
                            ByteView access_unit,
                            std::vector<FrameRef>& out) {
    auto frame = std::make_shared<convert::Frame>();
    frame->kind = convert::FrameKind::kVideo;
    frame->is_key = is_key;
    frame->dts = frame->pts = timeline_.map(now, static_cast<rtp::ExtTimestamp>(timestamp));
    frame->arrived_at = arrived_at;
    newest_ = frame->dts;
    if (!config.empty()) {
        add_config(now, convert::FrameKind::kVideo, flv::write_avc_sequence_header(config), out);
    }
    frame->data = flv::write_avc_frame(is_key, 0, access_unit);
    out.push_back(std::move(frame));
}

void TrackSource::add_config(Instant now,
                             convert::FrameKind kind,
                             Bytes data,
                             std::vector<FrameRef>& out) {
    auto frame = std::make_shared<convert::Frame>();
    frame->kind = kind;
    frame->is_config = true;
    frame->dts = frame->pts = newest_;
    frame->arrived_at = now;
    frame->data = std::move(data);
    config_ = frame;
    out.push_back(std::move(frame));
}

void TrackSource::handle_conversion(Instant now,
                                    ConversionResult result,
                                    std::vector<FrameRef>& out) {
    if (result.wants_key_frame) want_key_frame(now);
    for (ConvertedFrame& converted : result.frames) {
        if (video_) {
            add_video(now,
                      result.arrived_at,
                      converted.timestamp,
                      converted.is_key_frame,
                      converted.config,
                      converted.data,
                      out);
            continue;
        }
        auto frame = std::make_shared<convert::Frame>();
        frame->dts = frame->pts =
            timeline_.map(now, static_cast<rtp::ExtTimestamp>(converted.timestamp));
        frame->arrived_at = result.arrived_at;
        newest_ = frame->dts;
        if (!converted.config.empty()) {
            add_config(now,
                       convert::FrameKind::kAudio,
                       flv::write_aac_sequence_header(converted.config),
                       out);
        }
        frame->data = flv::write_aac_frame(converted.data);
        out.push_back(std::move(frame));
    }
}

void TrackSource::handle_timeout(Instant now, std::vector<FrameRef>& out) {
    if (video_) {
        video_->handle_timeout(now, video_out_);
        take_video(now, out);
        return;
    }
    audio_->handle_timeout(now, opus_);
    take_audio(now);
    const Duration silent = now - last_opus_at_;
    if (!last_opus_ || silent < kSilence || now - filled_at_ < kFillInterval) return;
    filled_at_ = now;
    const std::int64_t elapsed_ms = to_ms(silent - kFillBehind);
    conversions_.submit(conversion_,
                        {ConversionInput::What::kFillUntil,
                         static_cast<std::int64_t>(*last_opus_) + elapsed_ms * kOpusTicksPerMs,
                         false,
                         {},
                         now});
}

}  // namespace parley::gateway
