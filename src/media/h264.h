#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

/// H.264 as a forwarder and a packetizer need it: NAL units in RTP payloads (RFC 6184), in Annex B and in
/// length-prefixed (AVCC) form, and the sequence parameter set (ITU-T H.264 section 7.3.2.1.1).
namespace parley::media {

enum class NalType : std::uint8_t {
    kSlice = 1,
    kPartitionA = 2,
    kPartitionB = 3,
    kPartitionC = 4,
    kIdr = 5,
    kSei = 6,
    kSps = 7,
    kPps = 8,
    kAccessUnitDelimiter = 9,
    kEndOfSequence = 10,
    kEndOfStream = 11,
    kFiller = 12,
    kStapA = 24,  ///< RFC 6184 section 5.7.1
    kFuA = 28,    ///< RFC 6184 section 5.8
};

/// Of the first byte of a NAL unit; values without a name here are possible.
[[nodiscard]] constexpr NalType nal_type(std::uint8_t nal_header) {
    return static_cast<NalType>(nal_header & 0x1F);
}

/// A NAL unit or a piece of one, as one RTP payload carries it.
struct NalView {
    std::uint8_t header = 0;  ///< of the NAL unit; for FU-A rebuilt from indicator and FU header
    bool starts = true;       ///< the first piece
    bool ends = true;         ///< the last piece
    ByteView data;            ///< after the NAL header

    [[nodiscard]] NalType type() const { return nal_type(header); }
};

/// Walks the NAL units of one RTP payload: a single one, each of a STAP-A, or the piece in a FU-A. Ends
/// early at a broken unit; STAP-B, MTAP and FU-B, which no WebRTC end sends, give nothing.
class RtpNalReader {
public:
    explicit RtpNalReader(ByteView payload);
    std::optional<NalView> next();
    [[nodiscard]] bool malformed() const { return malformed_; }

private:
    enum class Form : std::uint8_t { kNone, kSingle, kStapA, kFuA };

    ByteView rest_;
    Form form_ = Form::kNone;
    bool malformed_ = false;
};

template <class F>
void for_each_nal(ByteView rtp_payload, F&& f) {
    RtpNalReader reader(rtp_payload);
    while (const std::optional<NalView> nal = reader.next()) f(*nal);
}

/// The payload begins a picture that a decoder can start at: it has an SPS, or the first piece of an IDR
/// slice that starts the picture.
[[nodiscard]] bool is_h264_keyframe_start(ByteView rtp_payload);
/// The payload begins a picture: a delimiter, SEI or parameter set, or a slice with `first_mb_in_slice` 0.
[[nodiscard]] bool is_h264_frame_start(ByteView rtp_payload);

/// What of an SPS tells about a stream; sizes are after cropping, in pixels.
struct H264Sps {
    std::uint8_t profile_idc = 0;
    std::uint8_t constraint_flags = 0;
    std::uint8_t level_idc = 0;
    std::uint32_t width = 0;
    std::uint32_t height = 0;
};
inline constexpr std::uint32_t kMaxH264Dimension = 16'384;

/// `nal` with its header. Errors: kTruncated, kMalformed, kTooLarge (a side above `kMaxH264Dimension`).
[[nodiscard]] Result<H264Sps> parse_h264_sps(ByteView nal);

/// A SEI NAL unit with one message, user data unregistered (section D.1.6): `data` is a UUID of 16
/// bytes and what follows it.
[[nodiscard]] Bytes write_h264_user_data(ByteView data);

enum class H264SliceType : std::uint8_t { kP = 0, kB = 1, kI = 2, kSp = 3, kSi = 4 };

/// Of a NAL unit (with its header) that is a slice or a partition A (section 7.3.3); nullopt for others and
/// for a broken header.
[[nodiscard]] std::optional<H264SliceType> parse_h264_slice_type(ByteView nal);

/// `seq_parameter_set_id` of an SPS, at most 31, or `pic_parameter_set_id` of a PPS, at most 255; nullopt for
/// other units.
[[nodiscard]] std::optional<std::uint32_t> parse_h264_parameter_set_id(ByteView nal);

/// Walks NAL units between start codes of three or four bytes (Annex B.1). Bytes before the first start
/// code and empty units are left out, zero bytes behind a unit too.
class AnnexBReader {
public:
    explicit AnnexBReader(ByteView stream);
    std::optional<ByteView> next();

private:
    ByteView rest_;  ///< begins after a start code
};

/// Walks NAL units behind length fields of 1 to 4 bytes (ISO/IEC 14496-15 section 5.2.3). Ends at a length
/// that runs over the end.
class AvccReader {
public:
    AvccReader(ByteView stream, std::size_t length_size) : rest_(stream), length_size_(length_size) {}
    std::optional<ByteView> next();
    [[nodiscard]] bool malformed() const { return malformed_; }

private:
    ByteView rest_;
    std::size_t length_size_;
    bool malformed_ = false;
};

}  // namespace parley::media
