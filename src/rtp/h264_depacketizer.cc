#include "rtp/h264_depacketizer.h"

#include <array>
#include <utility>

#include "media/h264.h"

namespace parley::rtp {

namespace {

constexpr std::array<std::uint8_t, 4> kStartCode{0, 0, 0, 1};

}  // namespace

std::optional<H264AccessUnit> H264Depacketizer::handle_payload(const Input& in) {
    if (last_ && in.sequence <= *last_) {
        ++stats_.late;
        return std::nullopt;
    }
    const bool gap = last_ && in.sequence != *last_ + 1;
    last_ = in.sequence;

    if (state_ != State::kEmpty && in.timestamp != unit_.timestamp) {
        // The end was lost, or the sender forgot the marker: either way we do not know that it was whole.
        if (state_ == State::kCollects) ++stats_.damaged;
        state_ = State::kEmpty;
    }
    if (state_ == State::kEmpty) {
        unit_ = H264AccessUnit{.timestamp = in.timestamp};
        in_fragment_ = false;
        state_ = State::kCollects;
        // After a gap the lost packets may have been the beginning of this access unit.
        if (gap && !media::is_h264_frame_start(in.payload)) damage(stats_.damaged);
    } else if (gap && state_ == State::kCollects) {
        damage(stats_.damaged);
    }
    if (state_ == State::kCollects) collect(in.payload);
    if (!in.marker) return std::nullopt;

    if (state_ == State::kCollects && (in_fragment_ || unit_.annex_b.empty())) damage(stats_.damaged);
    const bool whole = state_ == State::kCollects;
    state_ = State::kEmpty;
    if (!whole) return std::nullopt;
    ++stats_.access_units;
    return std::exchange(unit_, {});
}

void H264Depacketizer::damage(std::uint64_t& counter) {
    ++counter;
    state_ = State::kDamaged;
    unit_.annex_b.clear();
}

void H264Depacketizer::collect(ByteView payload) {
    media::RtpNalReader reader(payload);
    bool any = false;
    while (const auto nal = reader.next()) {
        any = true;
        // Fragments of one unit follow each other without anything between (section 5.8).
        const bool continues = in_fragment_ && !nal->starts && nal->header == fragment_header_;
        if (continues == nal->starts || (in_fragment_ && !continues)) return damage(stats_.malformed);
        const ByteView start = nal->starts ? ByteView(kStartCode) : ByteView();
        if (!append(start, nal->header, nal->data)) return damage(stats_.too_large);
        in_fragment_ = !nal->ends;
        fragment_header_ = nal->header;
        if (nal->type() == media::NalType::kIdr) unit_.has_idr = true;
        if (nal->type() == media::NalType::kSps) unit_.has_sps = true;
    }
    if (reader.malformed() || !any) damage(stats_.malformed);
}

bool H264Depacketizer::append(ByteView start, std::uint8_t header, ByteView data) {
    Bytes& out = unit_.annex_b;
    if (out.size() + start.size() + 1 + data.size() > kMaxAccessUnitSize) return false;
    out.insert(out.end(), start.begin(), start.end());
    if (!start.empty()) out.push_back(header);
    out.insert(out.end(), data.begin(), data.end());
    return true;
}

}  // namespace parley::rtp
