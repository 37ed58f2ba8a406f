#include "gateway/publisher.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "flv/aac_config.h"
#include "flv/audio_tag.h"
#include "flv/codec_config.h"
#include "flv/video_tag.h"
#include "media/opus.h"
#include "rtp/header.h"

namespace parley::gateway {
namespace {

using convert::Frame;
using convert::FrameKind;
using convert::FrameRef;
using convert::MediaTime;

constexpr PayloadType kLocalVideo{96};
constexpr PayloadType kLocalAudio{97};
constexpr std::size_t kRtpHeader = 12;
constexpr Duration kReplayStep = 1ms;

/// Opus in an encoder's milliseconds: what is further from where it should be than this begins
/// anew.
constexpr std::int64_t kMaxOpusDrift = 60 * convert::kSoundTicksPerMs;

/// How the room can have pictures of this codec; nullopt: not at all.
std::optional<ConversionKind> conversion_of(flv::VideoCodec codec) {
    switch (codec) {
        case flv::VideoCodec::kAvc:
            return ConversionKind::kH264ToH264;
        case flv::VideoCodec::kHevc:
            return ConversionKind::kHevcToH264;
        case flv::VideoCodec::kAv1:
            return ConversionKind::kAv1ToH264;
        case flv::VideoCodec::kVvc:
        case flv::VideoCodec::kVp8:
        case flv::VideoCodec::kVp9:
        case flv::VideoCodec::kOther:
            return std::nullopt;
    }
    return std::nullopt;
}

FrameRef make_frame(Instant now, FrameKind kind, const flv::Message& message, MediaTime dts) {
    auto frame = std::make_shared<Frame>();
    frame->kind = kind;
    frame->dts = dts;
    frame->pts = dts;
    frame->arrived_at = now;
    frame->data.assign(message.bytes().begin(), message.bytes().end());
    return frame;
}

}  // namespace

Publisher::Publisher(
    Context context, StreamId stream, ConversionIds ids, Instant now, std::uint32_t offset)
    : context_(context),
      stream_(stream),
      conversion_(ids.audio),
      offset_(offset),
      started_at_(now),
      rtp_({.payload_type = kLocalVideo, .ssrc = Ssrc(1), .timestamp_offset = offset},
           context.pool),
      converter_(context.conversions, ids.video) {}

Publisher::~Publisher() {
    if (converting_) context_.conversions.close(conversion_);
}

FrameRef Publisher::handle_message(Instant now,
                                   const flv::Message& message,
                                   sfu::NodeOutputs& out) {
    FrameRef frame;
    switch (message.kind) {
        case flv::MediaKind::kAudio:
            frame = handle_audio(now, message, out);
            break;
        case flv::MediaKind::kVideo:
            frame = handle_video(now, message, out);
            break;
        case flv::MediaKind::kData:
            return nullptr;
    }
    if (frame) {
        ++counters_.frames;
        cache_.handle_frame(frame);
    }
    return frame;
}

FrameRef Publisher::handle_video(Instant now, const flv::Message& message, sfu::NodeOutputs& out) {
    const Result<flv::VideoTag> tag = flv::parse_video_tag(message.bytes());
    if (!tag || !conversion_of(tag->codec)) {
        ++counters_.unsupported;
        return nullptr;
    }
    const bool is_config = tag->packet_type == flv::VideoPacketType::kSequenceHeader;
    const bool is_avc = tag->codec == flv::VideoCodec::kAvc;
    if (is_config) {
        if (!set_video_config(*tag)) {
            ++counters_.unsupported;
            return nullptr;
        }
        if (!video_.seen_at) video_.seen_at = now;
    } else if (tag->packet_type != flv::VideoPacketType::kFrame || !video_.seen_at ||
               is_foreign() == is_avc) {
        return nullptr;
    }
    const MediaTime dts = timeline_.map(now, FrameKind::kVideo, message.timestamp_ms);
    // What players get is what came, but always with the classic header, which all of them know.
    auto frame = std::make_shared<Frame>();
    frame->kind = FrameKind::kVideo;
    frame->is_config = is_config;
    frame->is_key = !is_config && tag->is_key_frame();
    frame->dts = dts;
    frame->pts = dts + std::max(tag->composition_time_ms, 0) * 1ms;
    frame->arrived_at = now;
    if (!is_avc) {
        frame->data = to_bytes(message.bytes());
    } else if (is_config) {
        frame->data = flv::write_avc_sequence_header(tag->data);
    } else {
        frame->data = flv::write_avc_frame(frame->is_key, tag->composition_time_ms, tag->data);
    }
    if (!is_config) send_video(now, *frame, tag->data, out);
    return frame;
}

bool Publisher::set_video_config(const flv::VideoTag& tag) {
    const ConversionKind kind = *conversion_of(tag.codec);
    // A repeated header changes nothing.
    if (must_convert_ == kind && std::ranges::equal(tag.data, video_config_)) return true;
    if (kind == ConversionKind::kH264ToH264) {
        if (!rtp_.set_config(tag.data)) return false;
        must_convert_.reset();
    } else {
        const bool is_good = kind == ConversionKind::kHevcToH264 ? flv::is_hevc_config(tag.data)
                                                                 : flv::is_av1_config(tag.data);
        // Players of what was H.264 so far could not follow.
        const bool was_avc = video_.seen_at && !is_foreign();
        if (!is_good || was_avc) return false;
        must_convert_ = kind;
    }
    video_config_ = to_bytes(tag.data);
    converter_.close();
    return true;
}

FrameRef Publisher::handle_audio(Instant now, const flv::Message& message, sfu::NodeOutputs& out) {
    const Result<flv::AudioTag> tag = flv::parse_audio_tag(message.bytes());
    if (tag && tag->codec == flv::AudioCodec::kOpus && (is_opus_ || !audio_.seen_at)) {
        return handle_opus_message(now, *tag, message, out);
    }
    if (!tag || tag->codec != flv::AudioCodec::kAac || is_opus_) {
        ++counters_.unsupported;
        return nullptr;
    }
    if (tag->is_sequence_header()) {
        // Without a configuration the frames have ADTS headers.
        if (!tag->data.empty() && !flv::parse_aac_config(tag->data)) {
            ++counters_.unsupported;
            return nullptr;
        }
        // Some encoders repeat the header before each frame: a decoder that began anew each time
        // would be silent.
        if (audio_.seen_at && std::ranges::equal(tag->data, aac_config_)) return nullptr;
        aac_config_.assign(tag->data.begin(), tag->data.end());
        if (!audio_.seen_at) audio_.seen_at = now;
        if (converting_) {
            context_.conversions.submit(
                conversion_, {ConversionInput::What::kConfig, 0, false, Bytes(aac_config_)});
        }
    } else if (tag->packet_type != flv::AudioPacketType::kFrame || !audio_.seen_at ||
               tag->data.empty()) {
        return nullptr;
    }
    const MediaTime dts = timeline_.map(now, FrameKind::kAudio, message.timestamp_ms);
    FrameRef frame = make_frame(now, FrameKind::kAudio, message, dts);
    if (tag->is_sequence_header()) {
        auto config = std::make_shared<Frame>(*frame);
        config->is_config = true;
        return config;
    }
    if (!audio_.track) return frame;
    if (context_.node.is_wanted(*audio_.track)) {
        audio_.wanted_at = now;
    } else {
        sound_tried_at_.reset();
    }
    if (converting_ || (audio_.wanted_at == now && open_sound(now))) {
        context_.conversions.submit(conversion_,
                                    {ConversionInput::What::kFrame,
                                     dts.count(),
                                     false,
                                     Bytes(tag->data.begin(), tag->data.end()),
                                     now});
    }
    return frame;
}

bool Publisher::open_sound(Instant now) {
    if (sound_tried_at_ && now - *sound_tried_at_ < VideoConverter::kRetry) return false;
    converting_ = context_.conversions.open(conversion_, ConversionKind::kAacToOpus);
    if (!converting_) {
        sound_refused_ = sound_refused_ || !sound_tried_at_;
        sound_tried_at_ = now;
        return false;
    }
    sound_tried_at_.reset();
    context_.conversions.submit(conversion_,
                                {ConversionInput::What::kConfig, 0, false, Bytes(aac_config_)});
    return true;
}

std::optional<sfu::MediaKind> Publisher::take_refused() {
    if (converter_.take_refused()) return sfu::MediaKind::kVideo;
    if (std::exchange(sound_refused_, false)) return sfu::MediaKind::kAudio;
    return std::nullopt;
}

bool Publisher::prepare(Instant now, sfu::MediaKind kind) {
    if (kind == sfu::MediaKind::kAudio) {
        audio_.wanted_at = now;
        return is_opus_ || converting_ || open_sound(now);
    }
    // Without a key frame nothing can be begun; the first one will show.
    return !must_convert_ || converter_.is_open() || !cache_.has_key_frame() ||
           open_video(now, false);
}

void Publisher::send_video(Instant now,
                           const Frame& frame,
                           ByteView access_unit,
                           sfu::NodeOutputs& out) {
    if (!video_.track) return;
    if (!context_.node.is_wanted(*video_.track)) {
        video_.wanted_at.reset();
        converter_.close();
        return;
    }
    if (!must_convert_) {
        if (!video_.wanted_at && !frame.is_key) replay(now, frame, out);
        packetize(now, frame.pts, frame.is_key, access_unit, out);
        if (rtp_.needs_transcode()) must_convert_ = ConversionKind::kH264ToH264;
    }
    video_.wanted_at = now;
    if (must_convert_) return convert_video(now, frame, access_unit);
    state_clock(now, video_, frame.pts, rtp_.rtp_timestamp_at(frame.pts));
}

void Publisher::convert_video(Instant now, const Frame& frame, ByteView access_unit) {
    // Unlike the encoder at the other end, ours can be asked; it begins with a key frame anyway.
    const bool is_asked = context_.node.take_key_frame_request(now, *video_.track);
    if (converter_.is_open() && is_asked) converter_.request_key_frame();
    if (!converter_.is_open()) {
        if (!frame.is_key && !cache_.has_key_frame()) return;
        if (!open_video(now, frame.is_key)) return;
    }
    converter_.submit(frame.pts, access_unit);
}

bool Publisher::open_video(Instant now, bool is_key) {
    std::vector<FrameRef> before;
    if (!is_key) before = cached_pictures();
    return converter_.open(now, *must_convert_, video_config_, std::move(before));
}

std::vector<FrameRef> Publisher::cached_pictures() const {
    std::vector<FrameRef> frames;
    cache_.append_start(frames);
    std::erase_if(frames,
                  [](const FrameRef& f) { return f->kind != FrameKind::kVideo || f->is_config; });
    return frames;
}

void Publisher::replay(Instant now, const Frame& next, sfu::NodeOutputs& out) {
    if (!cache_.has_key_frame() || cache_.bytes() > kMaxReplay) return;
    const std::vector<FrameRef> frames = cached_pictures();
    // Their own times would make the browser play them at their own pace, seconds behind; a
    // millisecond each, it shows the newest at once.
    MediaTime pts = next.pts - kReplayStep * static_cast<std::int64_t>(frames.size());
    for (const FrameRef& frame : frames) {
        if (rtp_.needs_transcode()) return;
        if (const auto tag = flv::parse_video_tag(frame->data)) {
            packetize(now, pts, frame->is_key, tag->data, out);
        }
        pts += kReplayStep;
    }
}

void Publisher::packetize(
    Instant now, MediaTime pts, bool is_key, ByteView access_unit, sfu::NodeOutputs& out) {
    packets_.clear();
    if (!rtp_.handle_access_unit(now, {pts, is_key, access_unit}, packets_)) return;
    for (media::PacketRef& packet : packets_) {
        context_.node.handle_local_packet(now, *video_.track, std::move(packet), out);
    }
    packets_.clear();
}

void Publisher::handle_conversion(Instant now,
                                  const ConversionResult& result,
                                  sfu::NodeOutputs& out) {
    if (result.id == conversion_) return handle_opus(now, result, out);
    handle_pictures(now, result, out);
}

void Publisher::handle_pictures(Instant now,
                                const ConversionResult& result,
                                sfu::NodeOutputs& out) {
    if (!video_.track) return;
    for (const ConvertedFrame& frame : result.frames) {
        if (!converter_.accepts(frame)) continue;
        if (!frame.config.empty() && !rtp_.set_config(frame.config)) return;
        const MediaTime pts(frame.timestamp);
        packetize(now, pts, frame.is_key_frame, frame.data, out);
        state_clock(now, video_, pts, rtp_.rtp_timestamp_at(pts));
    }
}

FrameRef Publisher::handle_opus_message(Instant now,
                                        const flv::AudioTag& tag,
                                        const flv::Message& message,
                                        sfu::NodeOutputs& out) {
    if (tag.packet_type != flv::AudioPacketType::kSequenceHeader &&
        tag.packet_type != flv::AudioPacketType::kFrame) {
        return nullptr;
    }
    const bool is_header = tag.is_sequence_header();
    const auto info = media::parse_opus_packet(tag.data);
    if (is_header ? !flv::is_opus_config(tag.data) : !info || !audio_.seen_at) {
        ++counters_.unsupported;
        return nullptr;
    }
    is_opus_ = true;
    if (!audio_.seen_at) audio_.seen_at = now;
    // The header is of no use: an Opus packet tells all that there is to know.
    if (is_header) return nullptr;
    const MediaTime dts = timeline_.map(now, FrameKind::kAudio, message.timestamp_ms);
    std::int64_t ticks = dts / 1ms * convert::kSoundTicksPerMs;
    if (opus_ticks_ && std::abs(ticks - *opus_ticks_) <= kMaxOpusDrift) ticks = *opus_ticks_;
    if (opus_ticks_ && ticks < *opus_ticks_) return nullptr;
    opus_ticks_ = ticks + info->duration.count() * convert::kSoundTicksPerMs / 1'000'000;
    ++counters_.frames;
    if (audio_.track && context_.node.is_wanted(*audio_.track)) {
        send_opus(now, now, ticks, tag.data, std::nullopt, out);
    }
    return nullptr;
}

void Publisher::handle_opus(Instant now, const ConversionResult& result, sfu::NodeOutputs& out) {
    if (!audio_.track) return;
    for (const ConvertedFrame& frame : result.frames)
        send_opus(now, result.arrived_at, frame.timestamp, frame.data, frame.audio_level, out);
}

void Publisher::send_opus(Instant now,
                          Instant arrived_at,
                          std::int64_t ticks,
                          ByteView payload,
                          std::optional<std::uint8_t> audio_level,
                          sfu::NodeOutputs& out) {
    if (payload.size() > media::Packet::kMaxDatagram - kRtpHeader) return;
    media::PacketRef packet = context_.pool.allocate();
    if (!packet) return;
    const std::uint32_t timestamp = audio_timestamp(ticks);
    ByteWriter writer(packet->memory());
    rtp::write_header(writer,
                      {.payload_type = kLocalAudio,
                       .sequence_number = static_cast<std::uint16_t>(audio_sequence_),
                       .timestamp = timestamp,
                       .ssrc = Ssrc(1)});
    writer.bytes(payload);
    packet->received_at = arrived_at;
    packet->size = static_cast<std::uint32_t>(writer.size());
    packet->payload_offset = kRtpHeader;
    packet->payload_size = static_cast<std::uint16_t>(payload.size());
    packet->ext_seq = audio_sequence_++;
    packet->rtp_timestamp = timestamp;
    packet->has_audio_level = audio_level.has_value();
    packet->audio_level = audio_level.value_or(0);
    context_.node.handle_local_packet(now, *audio_.track, std::move(packet), out);
    state_clock(now, audio_, convert::sound_time(ticks), timestamp);
}

void Publisher::state_clock(Instant now, Side& side, MediaTime time, std::uint32_t rtp_timestamp) {
    if (side.clock_at && now - *side.clock_at < kClockInterval) return;
    side.clock_at = now;
    context_.node.handle_local_clock(
        now, *side.track, timeline_.ntp_at(time, context_.ntp), rtp_timestamp);
}

void Publisher::handle_timeout(Instant now, sfu::NodeOutputs&) {
    if (converting_ && (!audio_.wanted_at || now - *audio_.wanted_at > kLinger)) {
        context_.conversions.close(conversion_);
        converting_ = false;
    }
}

void Publisher::handle_track(const sfu::AddLocalTrack& track) {
    Side& side = track.kind == sfu::MediaKind::kAudio ? audio_ : video_;
    side.track = track.track;
}

std::vector<sfu::MediaKind> Publisher::take_found(Instant now) {
    std::vector<sfu::MediaKind> found;
    const bool both = audio_.seen_at && video_.seen_at;
    const bool late = audio_.told || video_.told;
    const Instant first = std::min(audio_.seen_at.value_or(now), video_.seen_at.value_or(now));
    if (!both && !late && now - first < kSettle) return found;
    for (auto [side, kind] :
         {std::pair(&audio_, sfu::MediaKind::kAudio), {&video_, sfu::MediaKind::kVideo}}) {
        if (!side->seen_at || side->told) continue;
        side->told = true;
        found.push_back(kind);
    }
    return found;
}

bool Publisher::is_useless(Instant now) const {
    return !audio_.seen_at && !video_.seen_at && now - started_at_ > kMaxSilence;
}

}  // namespace parley::gateway
