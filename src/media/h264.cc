#include "media/h264.h"

#include <algorithm>

namespace parley::media {

namespace {

constexpr std::uint8_t kFuStart = 0x80;
constexpr std::uint8_t kFuEnd = 0x40;

/// Bits of a NAL unit's payload without emulation prevention bytes (section 7.4.1). Fails stickily.
class RbspReader {
public:
    explicit RbspReader(ByteView bytes) : bytes_(bytes) {}

    [[nodiscard]] bool ok() const { return ok_; }

    std::uint32_t bit() {
        if (bits_left_ == 0 && !load()) return 0;
        --bits_left_;
        return static_cast<std::uint32_t>(current_ >> bits_left_ & 1);
    }
    std::uint32_t bits(unsigned count) {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < count; ++i) value = value << 1 | bit();
        return value;
    }
    void skip(unsigned count) {
        for (unsigned i = 0; i < count && ok_; ++i) (void)bit();
    }
    /// ue(v) of section 9.1; values of more than 32 bits fail.
    std::uint32_t exp_golomb() {
        unsigned zeros = 0;
        while (ok_ && bit() == 0) {
            if (++zeros > 31) ok_ = false;
        }
        if (!ok_) return 0;
        return static_cast<std::uint32_t>((std::uint64_t{1} << zeros) - 1 + bits(zeros));
    }
    std::int32_t signed_exp_golomb() {
        const std::int64_t code = exp_golomb();
        return static_cast<std::int32_t>(code % 2 == 0 ? -(code / 2) : (code + 1) / 2);
    }

private:
    bool load() {
        if (ok_ && zeros_ >= 2 && offset_ < bytes_.size() && bytes_[offset_] == 3) {
            ++offset_;
            zeros_ = 0;
        }
        if (!ok_ || offset_ >= bytes_.size()) {
            ok_ = false;
            return false;
        }
        current_ = bytes_[offset_++];
        zeros_ = current_ == 0 ? zeros_ + 1 : 0;
        bits_left_ = 8;
        return true;
    }

    ByteView bytes_;
    std::size_t offset_ = 0;
    unsigned zeros_ = 0;
    unsigned bits_left_ = 0;
    std::uint8_t current_ = 0;
    bool ok_ = true;
};

void skip_scaling_list(RbspReader& in, unsigned size) {
    std::uint32_t last = 8;
    std::uint32_t next = 8;
    for (unsigned i = 0; i < size && in.ok(); ++i) {
        // Modulo 256 (equation 7-53), so a delta out of its range may wrap.
        if (next != 0) next = (last + static_cast<std::uint32_t>(in.signed_exp_golomb())) & 0xFF;
        if (next != 0) last = next;
    }
}

/// Profiles whose SPS says more of the colour format (section 7.3.2.1.1).
bool has_chroma_format(std::uint8_t profile_idc) {
    switch (profile_idc) {
        case 44: case 83: case 86: case 100: case 110: case 118: case 122: case 128: case 134: case 135:
        case 138: case 139: case 244: return true;
        default: return false;
    }
}

/// A slice header begins with first_mb_in_slice, and ue(v) 0 is the single bit 1.
bool is_first_slice(const NalView& nal) { return !nal.data.empty() && (nal.data[0] & 0x80) != 0; }

}  // namespace

RtpNalReader::RtpNalReader(ByteView payload) : rest_(payload) {
    if (payload.empty()) {
        malformed_ = true;
        return;
    }
    const std::uint8_t type = payload[0] & 0x1F;
    if (type >= 1 && type <= 23) {
        form_ = Form::kSingle;
    } else if (type == static_cast<std::uint8_t>(NalType::kStapA)) {
        form_ = Form::kStapA;
        rest_ = payload.subspan(1);
    } else if (type == static_cast<std::uint8_t>(NalType::kFuA)) {
        form_ = Form::kFuA;
    }
}

std::optional<NalView> RtpNalReader::next() {
    switch (form_) {
        case Form::kNone: return std::nullopt;
        case Form::kSingle:
            form_ = Form::kNone;
            return NalView{.header = rest_[0], .data = rest_.subspan(1)};
        case Form::kFuA: {
            form_ = Form::kNone;
            // Section 5.8: start and end bit must not both be set.
            if (rest_.size() < 3 || (rest_[1] & (kFuStart | kFuEnd)) == (kFuStart | kFuEnd)) {
                malformed_ = true;
                return std::nullopt;
            }
            return NalView{.header = static_cast<std::uint8_t>((rest_[0] & 0xE0) | (rest_[1] & 0x1F)),
                           .starts = (rest_[1] & kFuStart) != 0,
                           .ends = (rest_[1] & kFuEnd) != 0,
                           .data = rest_.subspan(2)};
        }
        case Form::kStapA: {
            if (rest_.empty()) return std::nullopt;
            const std::size_t size = rest_.size() >= 2 ? load_u16(rest_.data()) : 0;
            if (size == 0 || rest_.size() - 2 < size) {
                malformed_ = true;
                form_ = Form::kNone;
                return std::nullopt;
            }
            const ByteView unit = rest_.subspan(2, size);
            rest_ = rest_.subspan(2 + size);
            return NalView{.header = unit[0], .data = unit.subspan(1)};
        }
    }
    return std::nullopt;
}

bool is_h264_keyframe_start(ByteView rtp_payload) {
    RtpNalReader reader(rtp_payload);
    while (const std::optional<NalView> nal = reader.next()) {
        if (!nal->starts) continue;
        if (nal->type() == NalType::kSps) return true;
        if (nal->type() == NalType::kIdr && is_first_slice(*nal)) return true;
    }
    return false;
}

bool is_h264_frame_start(ByteView rtp_payload) {
    RtpNalReader reader(rtp_payload);
    const std::optional<NalView> nal = reader.next();
    if (!nal || !nal->starts) return false;
    switch (nal->type()) {
        case NalType::kSei:
        case NalType::kSps:
        case NalType::kPps:
        case NalType::kAccessUnitDelimiter: return true;
        case NalType::kSlice:
        case NalType::kPartitionA:
        case NalType::kIdr: return is_first_slice(*nal);
        case NalType::kPartitionB:
        case NalType::kPartitionC:
        case NalType::kEndOfSequence:
        case NalType::kEndOfStream:
        case NalType::kFiller:
        case NalType::kStapA:
        case NalType::kFuA: return false;
    }
    return false;
}

Result<H264Sps> parse_h264_sps(ByteView nal) {
    if (nal.size() < 4) return fail(Errc::kTruncated, "H.264 SPS");
    if (nal_type(nal[0]) != NalType::kSps) return fail(Errc::kMalformed, "H.264 SPS type");
    H264Sps sps{.profile_idc = nal[1], .constraint_flags = nal[2], .level_idc = nal[3]};

    RbspReader in(nal.subspan(4));
    (void)in.exp_golomb();  // seq_parameter_set_id
    std::uint32_t chroma_format = 1;
    bool separate_planes = false;
    if (has_chroma_format(sps.profile_idc)) {
        chroma_format = in.exp_golomb();
        if (chroma_format > 3) return fail(Errc::kMalformed, "H.264 chroma format");
        if (chroma_format == 3) separate_planes = in.bit() != 0;
        (void)in.exp_golomb();  // bit_depth_luma_minus8
        (void)in.exp_golomb();  // bit_depth_chroma_minus8
        in.skip(1);             // qpprime_y_zero_transform_bypass_flag
        if (in.bit() != 0) {
            const unsigned lists = chroma_format == 3 ? 12 : 8;
            for (unsigned i = 0; i < lists; ++i) {
                if (in.bit() != 0) skip_scaling_list(in, i < 6 ? 16 : 64);
            }
        }
    }
    (void)in.exp_golomb();  // log2_max_frame_num_minus4
    const std::uint32_t order_count_type = in.exp_golomb();
    if (order_count_type == 0) {
        (void)in.exp_golomb();  // log2_max_pic_order_cnt_lsb_minus4
    } else if (order_count_type == 1) {
        in.skip(1);
        (void)in.signed_exp_golomb();
        (void)in.signed_exp_golomb();
        const std::uint32_t cycle = in.exp_golomb();
        if (cycle > 255) return fail(Errc::kMalformed, "H.264 picture order count cycle");
        for (std::uint32_t i = 0; i < cycle && in.ok(); ++i) (void)in.signed_exp_golomb();
    }
    (void)in.exp_golomb();  // max_num_ref_frames
    in.skip(1);             // gaps_in_frame_num_value_allowed_flag
    const std::uint64_t width_mbs = std::uint64_t{in.exp_golomb()} + 1;
    const std::uint64_t height_units = std::uint64_t{in.exp_golomb()} + 1;
    const bool frame_mbs_only = in.bit() != 0;
    if (!frame_mbs_only) in.skip(1);
    in.skip(1);  // direct_8x8_inference_flag
    std::uint64_t crop[4]{};
    if (in.bit() != 0) {
        for (std::uint64_t& side : crop) side = in.exp_golomb();
    }
    if (!in.ok()) return fail(Errc::kTruncated, "H.264 SPS");

    const std::uint64_t fields = frame_mbs_only ? 1 : 2;
    const std::uint64_t width = width_mbs * 16;
    const std::uint64_t height = height_units * 16 * fields;
    if (width > kMaxH264Dimension || height > kMaxH264Dimension) {
        return fail(Errc::kTooLarge, "H.264 picture size");
    }
    // Table 6-1 and equations 7-19 to 7-22: cropping counts chroma samples, of both fields.
    const bool chroma = chroma_format != 0 && !separate_planes;
    const std::uint64_t unit_x = chroma && chroma_format != 3 ? 2 : 1;
    const std::uint64_t unit_y = (chroma && chroma_format == 1 ? 2 : 1) * fields;
    const std::uint64_t cropped_x = (crop[0] + crop[1]) * unit_x;
    const std::uint64_t cropped_y = (crop[2] + crop[3]) * unit_y;
    if (cropped_x >= width || cropped_y >= height) return fail(Errc::kMalformed, "H.264 cropping");
    sps.width = static_cast<std::uint32_t>(width - cropped_x);
    sps.height = static_cast<std::uint32_t>(height - cropped_y);
    return sps;
}

namespace {

/// Offset of the next 00 00 01, or the size.
std::size_t find_start_code(ByteView bytes) {
    for (std::size_t i = 0; i + 3 <= bytes.size(); ++i) {
        if (bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 1) return i;
    }
    return bytes.size();
}

}  // namespace

std::optional<H264SliceType> parse_h264_slice_type(ByteView nal) {
    if (nal.empty()) return std::nullopt;
    const NalType type = nal_type(nal[0]);
    if (type != NalType::kSlice && type != NalType::kPartitionA && type != NalType::kIdr) {
        return std::nullopt;
    }
    RbspReader in(nal.subspan(1));
    (void)in.exp_golomb();  // first_mb_in_slice
    const std::uint32_t value = in.exp_golomb();
    if (!in.ok() || value > 9) return std::nullopt;
    return static_cast<H264SliceType>(value % 5);  // from 5 on: all slices of the picture are alike
}

std::optional<std::uint32_t> parse_h264_parameter_set_id(ByteView nal) {
    if (nal.empty()) return std::nullopt;
    const bool is_sps = nal_type(nal[0]) == NalType::kSps;
    if (!is_sps && nal_type(nal[0]) != NalType::kPps) return std::nullopt;
    RbspReader in(nal.subspan(1));
    if (is_sps) in.skip(24);  // profile_idc, constraint flags, level_idc
    const std::uint32_t id = in.exp_golomb();
    if (!in.ok() || id > (is_sps ? 31U : 255U)) return std::nullopt;
    return id;
}

AnnexBReader::AnnexBReader(ByteView stream) {
    const std::size_t at = find_start_code(stream);
    if (at < stream.size()) rest_ = stream.subspan(at + 3);
}

std::optional<ByteView> AnnexBReader::next() {
    while (!rest_.empty()) {
        const std::size_t end = find_start_code(rest_);
        ByteView unit = rest_.first(end);
        rest_ = end < rest_.size() ? rest_.subspan(end + 3) : ByteView{};
        // The first zero of a four-byte start code, and trailing_zero_8bits.
        while (!unit.empty() && unit.back() == 0) unit = unit.first(unit.size() - 1);
        if (!unit.empty()) return unit;
    }
    return std::nullopt;
}

std::optional<ByteView> AvccReader::next() {
    while (!rest_.empty()) {
        if (length_size_ < 1 || length_size_ > 4 || rest_.size() < length_size_) break;
        std::size_t size = 0;
        for (std::size_t i = 0; i < length_size_; ++i) size = size << 8 | rest_[i];
        if (rest_.size() - length_size_ < size) break;
        const ByteView unit = rest_.subspan(length_size_, size);
        rest_ = rest_.subspan(length_size_ + size);
        if (!unit.empty()) return unit;
    }
    if (!rest_.empty()) malformed_ = true;
    rest_ = {};
    return std::nullopt;
}

Bytes write_h264_user_data(ByteView data) {
    constexpr std::uint8_t kUserDataUnregistered = 5;
    constexpr std::uint8_t kStopBit = 0x80;
    Bytes out{static_cast<std::uint8_t>(NalType::kSei), kUserDataUnregistered};
    out.reserve(data.size() + data.size() / 64 + 8);
    std::size_t zeros = 0;
    const auto put = [&](std::uint8_t byte) {
        if (zeros == 2 && byte <= 3) {
            out.push_back(3);  // section 7.4.1: no start code inside
            zeros = 0;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        out.push_back(byte);
    };
    std::size_t size = data.size();
    for (; size >= 255; size -= 255) put(255);
    put(static_cast<std::uint8_t>(size));
    for (const std::uint8_t byte : data) put(byte);
    put(kStopBit);
    return out;
}

}  // namespace parley::media
