#include "loadgen/h264_source.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace parley::loadgen {
namespace {

constexpr std::size_t kPcmBytes = 384;  // 256 luma samples, two times 64 chroma samples
constexpr std::size_t kPcmCost = kPcmBytes + 2;
constexpr std::uint8_t kNalSlice = 1;
constexpr std::uint8_t kNalIdr = 5;
constexpr std::uint8_t kNalSei = 6;
constexpr std::uint8_t kNalSps = 7;
constexpr std::uint8_t kNalPps = 8;
constexpr std::uint8_t kNalDelimiter = 9;

std::uint8_t nal_type(const Bytes& nal) { return nal.empty() ? std::uint8_t{0} : nal[0] & 0x1F; }

/// Raw byte sequence payload, written bit by bit (ISO/IEC 14496-10 section 7.2 and 9.1).
class BitWriter {
public:
    void u(unsigned value, unsigned bits) {
        for (unsigned i = bits; i > 0; --i) bit(value >> (i - 1) & 1);
    }
    void ue(unsigned value) {
        const unsigned code = value + 1;
        unsigned length = 0;
        while (code >> length > 1) ++length;
        u(0, length);
        u(code, length + 1);
    }
    void se(int value) {
        ue(value > 0 ? static_cast<unsigned>(2 * value - 1) : static_cast<unsigned>(-2 * value));
    }
    void align() {
        while (used_ != 0) bit(0);
    }
    void aligned_bytes(ByteView bytes) {
        PARLEY_CHECK(used_ == 0);
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    }
    /// The NAL unit: header, payload with stop bit, emulation prevention (section 7.4.1.1).
    Bytes finish(std::uint8_t nal_header) {
        bit(1);
        align();
        Bytes nal{nal_header};
        nal.reserve(bytes_.size() + 16);
        int zeros = 0;
        for (const std::uint8_t byte : bytes_) {
            if (zeros >= 2 && byte <= 3) {
                nal.push_back(3);
                zeros = 0;
            }
            nal.push_back(byte);
            zeros = byte == 0 ? zeros + 1 : 0;
        }
        return nal;
    }

private:
    void bit(unsigned value) {
        if (used_ == 0) bytes_.push_back(0);
        bytes_.back() = static_cast<std::uint8_t>(bytes_.back() | (value & 1) << (7 - used_));
        used_ = (used_ + 1) % 8;
    }
    Bytes bytes_;
    unsigned used_ = 0;
};

Bytes sequence_parameter_set(unsigned width, unsigned height) {
    BitWriter w;
    w.u(66, 8);    // profile_idc: baseline
    w.u(0xE0, 8);  // constraint_set0 to 2: constrained baseline
    w.u(31, 8);    // level_idc 3.1
    w.ue(0);       // seq_parameter_set_id
    w.ue(0);       // log2_max_frame_num_minus4
    w.ue(2);       // pic_order_cnt_type: output order is decoding order
    w.ue(1);       // max_num_ref_frames
    w.u(0, 1);     // gaps_in_frame_num_value_allowed_flag
    w.ue(width / 16 - 1);
    w.ue(height / 16 - 1);
    w.u(1, 1);  // frame_mbs_only_flag
    w.u(1, 1);  // direct_8x8_inference_flag
    w.u(0, 1);  // frame_cropping_flag
    w.u(0, 1);  // vui_parameters_present_flag
    return w.finish(0x67);
}

Bytes picture_parameter_set() {
    BitWriter w;
    w.ue(0);    // pic_parameter_set_id
    w.ue(0);    // seq_parameter_set_id
    w.u(0, 1);  // entropy_coding_mode_flag: CAVLC
    w.u(0, 1);  // bottom_field_pic_order_in_frame_present_flag
    w.ue(0);    // num_slice_groups_minus1
    w.ue(0);    // num_ref_idx_l0_default_active_minus1
    w.ue(0);    // num_ref_idx_l1_default_active_minus1
    w.u(0, 1);  // weighted_pred_flag
    w.u(0, 2);  // weighted_bipred_idc
    w.se(0);    // pic_init_qp_minus26
    w.se(0);    // pic_init_qs_minus26
    w.se(0);    // chroma_qp_index_offset
    w.u(1, 1);  // deblocking_filter_control_present_flag
    w.u(0, 1);  // constrained_intra_pred_flag
    w.u(0, 1);  // redundant_pic_cnt_present_flag
    return w.finish(0x68);
}

std::array<std::uint8_t, kPcmBytes> pcm_samples(const MediaStamp& stamp) {
    static_assert(kPcmBytes % kStampSize == 0);
    const StampBytes record = write_stamp(stamp);
    std::array<std::uint8_t, kPcmBytes> samples{};
    for (std::size_t i = 0; i < kPcmBytes; ++i) samples[i] = record[i % kStampSize];
    return samples;
}

void pcm_macroblock(BitWriter& w, unsigned mb_type, ByteView samples) {
    w.ue(mb_type);
    w.align();
    w.aligned_bytes(samples);
}

}  // namespace

H264Source::H264Source(const Config& config)
    : config_(config),
      frame_bytes_(static_cast<double>(config.bitrate.bps()) / 8 / config.frames_per_second) {
    PARLEY_CHECK(config.width % 16 == 0 && config.height % 16 == 0 && macroblocks() > 0);
}

AccessUnit H264Source::next(bool key_frame, WallTime now) {
    key_frame = key_frame || !started_;
    started_ = true;
    credit_ += frame_bytes_;
    // After a key frame the others are smaller until its surplus is paid back.
    const double wanted = key_frame ? frame_bytes_ * config_.key_frame_factor
                                    : std::min(credit_, frame_bytes_ * 1.5);
    const double floor_bytes = frame_bytes_ * 0.6;
    const auto pcm = static_cast<unsigned>(std::clamp(std::max(wanted, floor_bytes) / static_cast<double>(kPcmCost),
                                                      1.0,
                                                      static_cast<double>(macroblocks())));
    const MediaStamp stamp = make_stamp(now, frame_++);
    AccessUnit unit{.nal_units = {}, .is_key_frame = key_frame};
    if (key_frame) {
        frame_num_ = 0;
        idr_pic_id_ = (idr_pic_id_ + 1) % 2;
        unit.nal_units.push_back(sequence_parameter_set(config_.width, config_.height));
        unit.nal_units.push_back(picture_parameter_set());
        unit.nal_units.push_back(idr_slice(pcm, stamp));
    } else {
        unit.nal_units.push_back(p_slice(pcm, stamp));
    }
    frame_num_ = (frame_num_ + 1) % 16;
    for (const Bytes& nal : unit.nal_units) credit_ -= static_cast<double>(nal.size());
    credit_ = std::max(credit_, -10 * frame_bytes_);
    return unit;
}

Bytes H264Source::idr_slice(unsigned pcm_macroblocks, const MediaStamp& stamp) const {
    constexpr unsigned kMbTypePcm = 25;
    constexpr unsigned kMbTypeFlat = 3;  // I_16x16 predicted from the neighbours' mean, no coefficients
    BitWriter w;
    w.ue(0);               // first_mb_in_slice
    w.ue(7);               // slice_type: I, as all of the picture
    w.ue(0);               // pic_parameter_set_id
    w.u(frame_num_, 4);
    w.ue(idr_pic_id_);
    w.u(0, 1);             // no_output_of_prior_pics_flag
    w.u(0, 1);             // long_term_reference_flag
    w.se(0);               // slice_qp_delta
    w.ue(1);               // disable_deblocking_filter_idc

    const auto samples = pcm_samples(stamp);
    const unsigned columns = config_.width / 16;
    for (unsigned i = 0; i < macroblocks(); ++i) {
        if (i < pcm_macroblocks) {
            pcm_macroblock(w, kMbTypePcm, samples);
            continue;
        }
        w.ue(kMbTypeFlat);
        w.ue(0);  // intra_chroma_pred_mode: DC
        w.se(0);  // mb_qp_delta
        // coeff_token for no coefficients depends on how many the neighbours have; I_PCM counts as 16
        // (section 9.2.1).
        const bool left_pcm = i % columns != 0 && i - 1 < pcm_macroblocks;
        const bool above_pcm = i >= columns && i - columns < pcm_macroblocks;
        if (left_pcm || above_pcm) {
            w.u(3, 6);  // nC is 8 or 16
        } else {
            w.u(1, 1);
        }
    }
    return w.finish(0x60 | kNalIdr);
}

Bytes H264Source::p_slice(unsigned pcm_macroblocks, const MediaStamp& stamp) const {
    constexpr unsigned kMbTypePcm = 30;  // 5 P types come before the I types
    BitWriter w;
    w.ue(0);  // first_mb_in_slice
    w.ue(5);  // slice_type: P, as all of the picture
    w.ue(0);  // pic_parameter_set_id
    w.u(frame_num_, 4);
    w.u(0, 1);  // num_ref_idx_active_override_flag
    w.u(0, 1);  // ref_pic_list_modification_flag_l0
    w.u(0, 1);  // adaptive_ref_pic_marking_mode_flag
    w.se(0);    // slice_qp_delta
    w.ue(1);    // disable_deblocking_filter_idc

    const auto samples = pcm_samples(stamp);
    for (unsigned i = 0; i < pcm_macroblocks; ++i) {
        w.ue(0);  // mb_skip_run
        pcm_macroblock(w, kMbTypePcm, samples);
    }
    if (pcm_macroblocks < macroblocks()) w.ue(macroblocks() - pcm_macroblocks);
    return w.finish(0x60 | kNalSlice);
}

std::vector<AccessUnit> read_annex_b(ByteView stream) {
    std::vector<Bytes> nals;
    std::size_t begin = 0;  // of the unit being read; 0: none yet
    const auto add = [&](std::size_t end) {
        if (begin == 0) return;
        while (end > begin && stream[end - 1] == 0) --end;  // trailing zeros and the fourth start code byte
        if (end > begin) nals.push_back(to_bytes(stream.subspan(begin, end - begin)));
    };
    for (std::size_t i = 0; i + 3 <= stream.size(); ++i) {
        if (stream[i] != 0 || stream[i + 1] != 0 || stream[i + 2] != 1) continue;
        add(i);
        begin = i + 3;
        i += 2;
    }
    add(stream.size());

    std::vector<AccessUnit> units;
    bool has_slice = false;
    for (Bytes& nal : nals) {
        const std::uint8_t type = nal_type(nal);
        const bool slice = type == kNalSlice || type == kNalIdr;
        // first_mb_in_slice is ue(0), a single 1 bit, in the first slice of a picture.
        const bool first_slice = slice && nal.size() > 1 && (nal[1] & 0x80) != 0;
        const bool prefix = type == kNalDelimiter || type == kNalSps || type == kNalPps || type == kNalSei;
        if (units.empty() && type != kNalSps) continue;
        if (units.empty() || (has_slice && (first_slice || prefix))) {
            units.emplace_back();
            has_slice = false;
        }
        if (type == kNalDelimiter) continue;  // of no use in RTP (RFC 6184 section 5.2 keeps it optional)
        if (slice) has_slice = true;
        if (type == kNalIdr) units.back().is_key_frame = true;
        units.back().nal_units.push_back(std::move(nal));
    }
    if (!units.empty() && !has_slice) units.pop_back();
    return units;
}

Bytes stamp_sei(const MediaStamp& stamp) {
    constexpr std::array<std::uint8_t, 16> kUuid = {'p', 'a', 'r', 'l', 'e', 'y', '-', 's',
                                                    't', 'a', 'm', 'p', '-', 'v', '0', '1'};
    const StampBytes record = write_stamp(stamp);
    BitWriter w;
    w.u(5, 8);  // user_data_unregistered
    w.u(static_cast<unsigned>(kUuid.size() + record.size()), 8);
    w.aligned_bytes(kUuid);
    w.aligned_bytes(record);
    return w.finish(kNalSei);
}

}  // namespace parley::loadgen
