#include "convert/rtp_to_video.h"

#include <algorithm>
#include <utility>

#include "flv/avc_config.h"
#include "media/av1.h"
#include "media/h264.h"
#include "media/vp8.h"
#include "media/vp9.h"

namespace parley::convert {

namespace {

constexpr std::size_t kNalLengthSize = 4;
constexpr std::size_t kMaxParameterSetSize = 4'096;

void append_with_length(Bytes& out, ByteView nal) {
    const std::size_t at = out.size();
    out.resize(at + kNalLengthSize);
    store_u32(out.data() + at, static_cast<std::uint32_t>(nal.size()));
    out.insert(out.end(), nal.begin(), nal.end());
}

/// Bytes of the scalability structure (RFC 9628 section 4.2.1); nullopt when it is cut off.
std::optional<std::size_t> scalability_structure_size(ByteView bytes) {
    ByteReader in(bytes);
    const std::uint8_t first = in.u8();
    const std::size_t layers = (first >> 5) + std::size_t{1};
    if ((first & 0x10) != 0) in.skip(4 * layers);
    if ((first & 0x08) != 0) {
        const std::uint8_t pictures = in.u8();
        for (unsigned i = 0; i < pictures && in.ok(); ++i) in.skip(in.u8() >> 2 & 3);
    }
    if (!in.ok()) return std::nullopt;
    return in.offset();
}

/// LEB128 (AV1 section 4.10.5), at most 2^32 - 1; nullopt when it is cut off or longer.
std::optional<std::size_t> read_leb128(ByteReader& in) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i) {
        const std::uint64_t byte = in.u8();
        value |= (byte & 0x7F) << (7 * i);
        if ((byte & 0x80) != 0) continue;
        if (!in.ok() || value > 0xFFFF'FFFF) return std::nullopt;
        return static_cast<std::size_t>(value);
    }
    return std::nullopt;
}

void append_leb128(Bytes& out, std::size_t value) {
    do {
        const auto low = static_cast<std::uint8_t>(value & 0x7F);
        value >>= 7;
        out.push_back(value != 0 ? low | 0x80 : low);
    } while (value != 0);
}

}  // namespace

RtpToVideo::RtpToVideo(const Config& config) : config_(config), reorder_(config.reorder) {}

void RtpToVideo::handle_packet(Instant now, media::PacketRef packet, VideoOutputs& out) {
    items_.clear();
    reorder_.handle_packet(now, std::move(packet), items_);
    handle_items(now, out);
}

void RtpToVideo::handle_timeout(Instant now, VideoOutputs& out) {
    items_.clear();
    reorder_.handle_timeout(now, items_);
    handle_items(now, out);
    if (next_request_ && now >= *next_request_) ask(now, out);
}

std::optional<Instant> RtpToVideo::next_deadline() const {
    const auto gap = reorder_.next_deadline();
    if (!gap || !next_request_) return gap ? gap : next_request_;
    return std::min(*gap, *next_request_);
}

void RtpToVideo::handle_layer_switch(Instant now, VideoOutputs& out) {
    reorder_.reset();
    h264_ = {};
    h264_damage_ = 0;
    state_ = State::kEmpty;
    lose_references(now, out);
}

void RtpToVideo::handle_items(Instant now, VideoOutputs& out) {
    for (const RtpReorder::Item& item : items_) {
        if (item.after_gap) lose_references(now, out);
        if (item.packet->payload_size == 0) {
            lost_padding_ = lost_padding_ || item.after_gap;
            continue;
        }
        if (config_.codec == RtpVideoCodec::kH264) {
            handle_h264(now, item, out);
        } else {
            handle_other(now, item, out);
        }
        lost_padding_ = false;
    }
    items_.clear();
}

void RtpToVideo::lose_references(Instant now, VideoOutputs& out) {
    wants_key_frame_ = true;
    if (state_ == State::kCollects) state_ = State::kDamaged;
    ask(now, out);
}

void RtpToVideo::ask(Instant now, VideoOutputs& out) {
    if (next_request_ && now < *next_request_) return;
    next_request_ = now + config_.key_frame_interval;
    out.needs_key_frame = true;
}

void RtpToVideo::deliver(Instant now, VideoSample sample, VideoOutputs& out) {
    if (wants_key_frame_ && !sample.is_key_frame) {
        ++stats_.dropped;
        ask(now, out);
        return;
    }
    wants_key_frame_ = false;
    next_request_.reset();
    if (sample.is_key_frame) ++stats_.key_frames;
    ++stats_.samples;
    out.samples.push_back(std::move(sample));
}

void RtpToVideo::handle_h264(Instant now, const RtpReorder::Item& item, VideoOutputs& out) {
    const media::Packet& packet = *item.packet;
    // Packets of padding use up numbers as well: count payloads, and leave a number out for a loss.
    h264_sequence_ += item.after_gap || lost_padding_ ? 2 : 1;
    const auto unit = h264_.handle_payload({.sequence = h264_sequence_,
                                            .timestamp = packet.rtp_timestamp,
                                            .marker = packet.marker,
                                            .payload = packet.payload()});
    const auto& stats = h264_.stats();
    const std::uint64_t damage = stats.damaged + stats.malformed + stats.too_large;
    if (damage != h264_damage_) {
        h264_damage_ = damage;
        ++stats_.dropped;
        lose_references(now, out);
    }
    if (unit) finish_h264(now, *unit, packet.received_at, out);
}

void RtpToVideo::finish_h264(Instant now,
                             const rtp::H264AccessUnit& unit,
                             Instant arrived_at,
                             VideoOutputs& out) {
    VideoSample sample{.timestamp = timestamps_.unwrap(unit.timestamp), .arrived_at = arrived_at};
    sample.data.reserve(unit.annex_b.size());
    bool has_slice = false;
    media::AnnexBReader reader(unit.annex_b);
    while (const auto nal = reader.next()) {
        switch (media::nal_type((*nal)[0])) {
            case media::NalType::kSps:
            case media::NalType::kPps:
                remember_parameter_set(*nal);
                break;
            case media::NalType::kAccessUnitDelimiter:
            case media::NalType::kFiller:
            case media::NalType::kEndOfSequence:
            case media::NalType::kEndOfStream:
                break;
            case media::NalType::kSei:
                append_with_length(sample.data, *nal);
                break;
            default:
                has_slice = true;
                append_with_length(sample.data, *nal);
        }
    }
    if (!has_slice) return;
    sample.is_key_frame = unit.has_idr && !sps_.empty() && !pps_.empty();
    if (unit.has_idr && !sample.is_key_frame)
        wants_key_frame_ = true;  // useless without parameter sets
    if (sample.is_key_frame || (!wants_key_frame_ && config_changed_)) {
        sample.config = take_changed_config();
    }
    deliver(now, std::move(sample), out);
}

void RtpToVideo::remember_parameter_set(ByteView nal) {
    const auto id = media::parse_h264_parameter_set_id(nal);
    if (!id || nal.size() < 4 || nal.size() > kMaxParameterSetSize) return;
    auto& sets = media::nal_type(nal[0]) == media::NalType::kSps ? sps_ : pps_;
    Bytes& stored = sets[*id];
    if (std::ranges::equal(stored, nal)) return;
    stored = to_bytes(nal);
    config_changed_ = true;
}

std::shared_ptr<const Bytes> RtpToVideo::take_changed_config() {
    if (!config_changed_) return nullptr;
    config_changed_ = false;
    flv::AvcConfig config;
    const Bytes& first = sps_.begin()->second;
    config.profile_idc = first[1];
    config.constraint_flags = first[2];
    config.level_idc = first[3];
    for (const auto& [id, sps] : sps_) {
        if (config.sps.size() < flv::AvcConfig::kMaxParameterSets - 1) config.sps.push_back(sps);
    }
    for (const auto& [id, pps] : pps_) {
        if (config.pps.size() < flv::AvcConfig::kMaxParameterSets) config.pps.push_back(pps);
    }
    Bytes record = flv::write_avc_config(config);
    if (config_record_ && *config_record_ == record) return nullptr;
    config_record_ = std::make_shared<const Bytes>(std::move(record));
    ++stats_.config_changes;
    return config_record_;
}

bool RtpToVideo::is_frame_start(ByteView payload) const {
    switch (config_.codec) {
        case RtpVideoCodec::kVp8:
            return media::is_vp8_frame_start(payload);
        case RtpVideoCodec::kVp9:
            return media::is_vp9_frame_start(payload);
        case RtpVideoCodec::kAv1:
            return (payload[0] & 0x80) == 0;
        case RtpVideoCodec::kH264:
            return media::is_h264_frame_start(payload);
    }
    return false;
}

bool RtpToVideo::is_key_frame_start(ByteView payload) const {
    switch (config_.codec) {
        case RtpVideoCodec::kVp8:
            return media::is_vp8_keyframe_start(payload);
        case RtpVideoCodec::kVp9:
            return media::is_vp9_keyframe_start(payload);
        case RtpVideoCodec::kAv1:
            return media::is_av1_keyframe_start(payload);
        case RtpVideoCodec::kH264:
            return media::is_h264_keyframe_start(payload);
    }
    return false;
}

void RtpToVideo::handle_other(Instant now, const RtpReorder::Item& item, VideoOutputs& out) {
    const media::Packet& packet = *item.packet;
    if (state_ != State::kEmpty && packet.rtp_timestamp != frame_timestamp_) {
        // The packet with the marker bit did not come: the frame is not whole.
        ++stats_.dropped;
        state_ = State::kEmpty;
        lose_references(now, out);
    }
    if (state_ == State::kEmpty) {
        frame_.clear();
        obu_.clear();
        obu_open_ = false;
        frame_timestamp_ = packet.rtp_timestamp;
        frame_is_key_ = is_key_frame_start(packet.payload());
        state_ = is_frame_start(packet.payload()) ? State::kCollects : State::kDamaged;
    }
    if (state_ == State::kCollects && !append_other(packet)) {
        state_ = State::kDamaged;
        lose_references(now, out);
    }
    if (!packet.marker) return;
    if (state_ == State::kCollects && !frame_.empty() && !obu_open_) {
        finish_other(now, packet.received_at, out);
    } else {
        ++stats_.dropped;
        lose_references(now, out);
    }
    state_ = State::kEmpty;
}

void RtpToVideo::finish_other(Instant now, Instant arrived_at, VideoOutputs& out) {
    deliver(now,
            {.timestamp = timestamps_.unwrap(frame_timestamp_),
             .is_key_frame = frame_is_key_,
             .arrived_at = arrived_at,
             .data = std::exchange(frame_, {}),
             .config = nullptr},
            out);
}

bool RtpToVideo::append_other(const media::Packet& packet) {
    ByteView payload = packet.payload();
    if (frame_.size() + obu_.size() + payload.size() > kMaxFrameSize) return false;
    if (config_.codec == RtpVideoCodec::kAv1) return append_av1(payload);
    std::size_t header = 0;
    if (config_.codec == RtpVideoCodec::kVp8) {
        const auto descriptor = media::parse_vp8_descriptor(payload);
        if (!descriptor) return false;
        header = descriptor->size;
    } else {
        const auto descriptor = media::parse_vp9_descriptor(payload);
        if (!descriptor) return false;
        header = descriptor->size;
        if (descriptor->has_scalability_structure) {
            const auto structure = scalability_structure_size(payload.subspan(header));
            if (!structure) return false;
            header += *structure;
        }
    }
    if (header > payload.size()) return false;
    payload = payload.subspan(header);
    frame_.insert(frame_.end(), payload.begin(), payload.end());
    return true;
}

/// AV1 RTP payload format section 4.4 and 4.5: elements, each an OBU or a piece of one.
bool RtpToVideo::append_av1(ByteView payload) {
    const auto header = media::parse_av1_aggregation_header(payload);
    if (!header || header->continues != obu_open_) return false;
    ByteReader in(payload.subspan(1));
    for (unsigned index = 1; !in.at_end(); ++index) {
        const bool is_last_without_size = header->obu_count != 0 && index == header->obu_count;
        std::size_t size = in.remaining();
        if (!is_last_without_size) {
            const auto stated = read_leb128(in);
            if (!stated || *stated > in.remaining()) return false;
            size = *stated;
        }
        const ByteView element = in.view(size);
        obu_.insert(obu_.end(), element.begin(), element.end());
        if (in.at_end() && header->continued) {
            obu_open_ = true;
            return in.ok();
        }
        close_obu();
    }
    return in.ok();
}

/// Writes the OBU in hand with its size (AV1 section 5.3.2), as a decoder wants it.
void RtpToVideo::close_obu() {
    obu_open_ = false;
    const Bytes obu = std::exchange(obu_, {});
    if (obu.empty()) return;
    constexpr std::uint8_t kHasExtension = 0x04;
    constexpr std::uint8_t kHasSize = 0x02;
    if ((obu[0] & kHasSize) != 0) {
        frame_.insert(frame_.end(), obu.begin(), obu.end());
        return;
    }
    const std::size_t head = (obu[0] & kHasExtension) != 0 ? 2 : 1;
    if (obu.size() < head) return;
    frame_.push_back(obu[0] | kHasSize);
    if (head == 2) frame_.push_back(obu[1]);
    append_leb128(frame_, obu.size() - head);
    frame_.insert(frame_.end(), obu.begin() + static_cast<std::ptrdiff_t>(head), obu.end());
}

}  // namespace parley::convert
