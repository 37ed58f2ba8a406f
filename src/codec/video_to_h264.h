#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/units.h"

namespace parley::codec {

enum class VideoCodec : std::uint8_t { kH264, kVp8, kVp9, kAv1, kHevc };

/// One H.264 access unit of constrained baseline profile, no B pictures.
struct H264Frame {
    std::int64_t timestamp = 0;  ///< that of the picture it shows
    bool is_key_frame = false;
    Bytes avcc;    ///< NAL units behind four-byte lengths, without parameter sets
    Bytes config;  ///< the configuration record, with the first frame and whenever it changes
};

/// Decodes one video track and encodes it again as H.264 that every player and browser takes. The
/// most expensive thing a server can do for a track (a tenth of a core at 720p30): run it on the
/// pool, only while somebody needs it.
///
/// User data that came with a picture of H.264 or HEVC (SEI, user data unregistered) goes with it;
/// VP8 and VP9 have no such thing, and what AV1 has is of another kind.
///
/// Pictures keep their size; an odd side loses its last line. A change of size starts the encoder
/// anew with a key frame and a new configuration.
class VideoToH264 {
public:
    static constexpr std::uint32_t kMaxSide = 4'096;

    struct Config {
        VideoCodec input = VideoCodec::kVp8;
        Bitrate bitrate;                        ///< 0: by the picture's size, 1.2 Mb/s at 720p
        double max_frame_rate = 30;             ///< for rate control only
        std::uint32_t key_frame_interval = 60;  ///< in frames
        Bytes config;  ///< of RTMP, inputs kH264, kHevc and kAv1: the sequence header
    };
    struct Stats {
        std::uint64_t frames_in = 0;
        std::uint64_t frames_out = 0;
        std::uint64_t undecodable = 0;
        std::uint64_t skipped = 0;  ///< left out by the encoder's rate control
    };

    [[nodiscard]] static Result<std::unique_ptr<VideoToH264>> create(const Config& config);
    virtual ~VideoToH264() = default;

    /// One coded picture (of `convert::RtpToVideo`, or an AVCC access unit with `dts` order of
    /// RTMP); `timestamp` is its presentation time in any unit that grows. Errors: kMalformed
    /// (undecodable: ask for a key frame), kUnsupported (not 4:2:0 with 8 bits, too large).
    [[nodiscard]] virtual Result<void> handle_frame(std::int64_t timestamp,
                                                    ByteView frame,
                                                    std::vector<H264Frame>& out) = 0;
    /// A picture that later ones may refer to and that nobody is to see: decoded only.
    virtual void handle_unseen(std::int64_t timestamp, ByteView frame) = 0;
    /// Input kH264: a new sequence header in mid-stream.
    [[nodiscard]] virtual Result<void> set_h264_config(ByteView avc_config_record) = 0;
    virtual void request_key_frame() = 0;
    virtual void set_bitrate(Bitrate bitrate) = 0;
    [[nodiscard]] virtual Stats stats() const = 0;
};

}  // namespace parley::codec
