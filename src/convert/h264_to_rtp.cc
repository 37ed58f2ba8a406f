#include "convert/h264_to_rtp.h"

#include <algorithm>

#include "media/h264.h"
#include "rtp/h264_packetizer.h"
#include "rtp/header.h"
#include "rtp/sequence.h"

namespace parley::convert {

namespace {

using media::NalType;

constexpr std::int64_t kVideoTicksPerMs = 90;
constexpr std::size_t kMaxLearnedSize = 4'096;  ///< of a parameter set between pictures

bool is_slice(NalType type) {
    return type == NalType::kSlice || type == NalType::kPartitionA || type == NalType::kIdr;
}

bool begins_with_start_code(ByteView data) {
    return data.size() >= 4 && data[0] == 0 && data[1] == 0 &&
           (data[2] == 1 || (data[2] == 0 && data[3] == 1));
}

}  // namespace

Result<void> H264ToRtp::set_config(ByteView avc_config_record) {
    auto parsed = flv::parse_avc_config(avc_config_record);
    if (!parsed) return tl::unexpected(parsed.error());
    // Some encoders repeat the header they have sent; that alone changes nothing.
    if (has_config_ && *parsed == avc_) return {};
    avc_ = std::move(*parsed);
    has_config_ = true;
    needs_transcode_ = false;
    return {};
}

std::uint32_t H264ToRtp::rtp_timestamp_at(MediaTime time) const {
    // Whole milliseconds first: the product of nanoseconds overflows after 28 hours.
    const std::int64_t ms = time / 1ms;
    const std::int64_t ticks =
        ms * kVideoTicksPerMs + (time % 1ms).count() * kVideoTicksPerMs / 1'000'000;
    return static_cast<std::uint32_t>(ticks) + config_.timestamp_offset;
}

Result<void> H264ToRtp::collect_nals(ByteView data) {
    nals_.clear();
    const auto add = [this](ByteView nal) {
        if (nals_.size() == kMaxNals) return false;
        if (!nal.empty()) nals_.push_back(nal);
        return true;
    };
    media::AvccReader avcc(data, avc_.nal_length_size);
    while (const auto nal = avcc.next()) {
        if (!add(*nal)) return fail(Errc::kTooLarge, "NAL units of an access unit");
    }
    if (!avcc.malformed() && !nals_.empty()) return {};
    if (!begins_with_start_code(data)) return fail(Errc::kMalformed, "AVCC access unit");
    nals_.clear();
    media::AnnexBReader annex_b(data);
    while (const auto nal = annex_b.next()) {
        if (!add(*nal)) return fail(Errc::kTooLarge, "NAL units of an access unit");
    }
    if (nals_.empty()) return fail(Errc::kMalformed, "AVCC access unit");
    return {};
}

Result<void> H264ToRtp::handle_access_unit(Instant now,
                                           const AccessUnit& in,
                                           std::vector<media::PacketRef>& out) {
    if (!has_config_) {
        ++stats_.no_config;
        return fail(Errc::kNotFound, "picture before its sequence header");
    }
    if (needs_transcode_) {
        ++stats_.refused_reference_b;
        return fail(Errc::kUnsupported, "B pictures as references");
    }
    if (in.data.size() > kMaxAccessUnitSize) {
        ++stats_.malformed;
        return fail(Errc::kTooLarge, "access unit");
    }
    if (const auto collected = collect_nals(in.data); !collected) {
        ++stats_.malformed;
        return collected;
    }

    bool has_slice = false;
    bool has_idr = false;
    bool has_intra_only = true;
    bool has_sps = false;
    bool has_pps = false;
    bool has_b = false;
    bool is_reference = false;
    for (const ByteView nal : nals_) {
        const NalType type = media::nal_type(nal[0]);
        has_sps = has_sps || type == NalType::kSps;
        has_pps = has_pps || type == NalType::kPps;
        if (!is_slice(type)) continue;
        has_slice = true;
        has_idr = has_idr || type == NalType::kIdr;
        is_reference = is_reference || (nal[0] & 0x60U) != 0;
        const auto slice = media::parse_h264_slice_type(nal);
        has_b = has_b || slice == media::H264SliceType::kB;
        has_intra_only = has_intra_only &&
                         (slice == media::H264SliceType::kI || slice == media::H264SliceType::kSi);
    }
    if (has_b && is_reference) {
        needs_transcode_ = true;
        ++stats_.refused_reference_b;
        return fail(Errc::kUnsupported, "B pictures as references");
    }
    if (has_b) {
        ++stats_.dropped_b_frames;
        return {};
    }

    // A stream that refreshes without IDR pictures marks where a decoder may start in its tags
    // only.
    const bool is_key = has_idr || (has_slice && has_intra_only && in.is_key_frame);
    if (has_sps || has_pps) learn_parameter_sets();
    ordered_.clear();
    if (is_key && !has_sps) ordered_.insert(ordered_.end(), avc_.sps.begin(), avc_.sps.end());
    if (is_key && !has_pps) ordered_.insert(ordered_.end(), avc_.pps.begin(), avc_.pps.end());
    for (const ByteView nal : nals_) {
        switch (media::nal_type(nal[0])) {
            case NalType::kAccessUnitDelimiter:
            case NalType::kFiller:
            case NalType::kEndOfSequence:
            case NalType::kEndOfStream:
                break;
            default:
                ordered_.push_back(nal);
        }
    }
    if (ordered_.empty()) return {};

    std::int64_t ticks =
        (in.pts / 1ms) * kVideoTicksPerMs + (in.pts % 1ms).count() * kVideoTicksPerMs / 1'000'000;
    if (last_ticks_ && ticks <= *last_ticks_) ticks = *last_ticks_ + 1;
    if (!packetize(
            now, static_cast<std::uint32_t>(ticks) + config_.timestamp_offset, is_key, out)) {
        ++stats_.no_memory;
        return fail(Errc::kBusy, "packet pool");
    }
    last_ticks_ = ticks;
    ++stats_.access_units;
    return {};
}

/// Parameter sets between the pictures take the place of the sequence header's, for the key frames
/// to come.
void H264ToRtp::learn_parameter_sets() {
    for (const NalType type : {NalType::kSps, NalType::kPps}) {
        std::vector<Bytes> found;
        for (const ByteView nal : nals_) {
            if (media::nal_type(nal[0]) != type || nal.size() > kMaxLearnedSize) continue;
            if (found.size() < flv::AvcConfig::kMaxParameterSets) found.push_back(to_bytes(nal));
        }
        if (!found.empty()) (type == NalType::kSps ? avc_.sps : avc_.pps) = std::move(found);
    }
}

bool H264ToRtp::packetize(Instant now,
                          std::uint32_t timestamp,
                          bool is_key,
                          std::vector<media::PacketRef>& out) {
    const std::size_t first = out.size();
    const std::uint64_t first_sequence = sequence_;
    const std::size_t max_payload =
        std::min(config_.max_payload, media::Packet::kMaxDatagram - rtp::kFixedHeaderSize);
    rtp::H264PacketizerView packetizer(ordered_, max_payload);
    while (true) {
        media::PacketRef packet = pool_.allocate();
        if (!packet) {
            // Half an access unit helps nobody, and its sequence numbers would look like a loss.
            out.resize(first);
            sequence_ = first_sequence;
            return false;
        }
        ByteWriter writer(packet->memory());
        writer.fill(0, rtp::kFixedHeaderSize);
        const auto payload = packetizer.next(writer);
        if (!payload) break;
        const rtp::HeaderFields fields{.marker = payload->last,
                                       .payload_type = config_.payload_type,
                                       .sequence_number = rtp::to_wire(sequence_),
                                       .timestamp = timestamp,
                                       .ssrc = config_.ssrc};
        ByteWriter header(packet->memory().first(rtp::kFixedHeaderSize));
        rtp::write_header(header, fields);
        packet->received_at = now;
        packet->ext_seq = sequence_++;
        packet->rtp_timestamp = timestamp;
        packet->size = static_cast<std::uint32_t>(writer.size());
        packet->payload_offset = rtp::kFixedHeaderSize;
        packet->payload_size = static_cast<std::uint16_t>(payload->size);
        packet->payload_type = config_.payload_type;
        packet->marker = payload->last;
        packet->is_key_frame = is_key && out.size() == first;
        ++stats_.packets;
        out.push_back(std::move(packet));
        if (payload->last) break;
    }
    return true;
}

}  // namespace parley::convert
