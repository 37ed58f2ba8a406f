#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/units.h"
#include "loadgen/media_stamp.h"

namespace parley::loadgen {

/// One coded picture: NAL units without start codes, in decoding order.
struct AccessUnit {
    std::vector<Bytes> nal_units;
    bool is_key_frame = false;
};

/// Makes H.264 that any decoder plays (constrained baseline, CAVLC) at a wanted bitrate without an encoder.
///
/// A picture is as many I_PCM macroblocks as its budget pays for, filled with stamps, and costs nothing
/// besides: the rest is flat in an IDR picture and skipped in a P picture. So sizes follow the bitrate, key
/// frames are some times larger than others, and every packet carries the time it was sent.
class H264Source {
public:
    struct Config {
        Bitrate bitrate = Bitrate::kbps(1400);
        unsigned frames_per_second = 30;
        unsigned width = 640;  ///< multiples of 16
        unsigned height = 480;
        double key_frame_factor = 4;  ///< size of a key frame in average frames
    };

    explicit H264Source(const Config& config);

    /// The first picture is a key frame whatever is asked.
    AccessUnit next(bool key_frame, WallTime now);
    [[nodiscard]] const Config& config() const { return config_; }

private:
    [[nodiscard]] unsigned macroblocks() const { return config_.width / 16 * (config_.height / 16); }
    [[nodiscard]] Bytes idr_slice(unsigned pcm_macroblocks, const MediaStamp& stamp) const;
    [[nodiscard]] Bytes p_slice(unsigned pcm_macroblocks, const MediaStamp& stamp) const;

    Config config_;
    double frame_bytes_;
    double credit_ = 0;  ///< bytes that the bitrate allows and that are not yet spent
    unsigned frame_num_ = 0;
    unsigned idr_pic_id_ = 0;
    std::uint16_t frame_ = 0;
    bool started_ = false;
};

/// Annex B byte stream to access units, for a file given by the user. Units before the first SPS are left
/// out. A new one begins at an access unit delimiter, a parameter set or the first slice of a picture.
std::vector<AccessUnit> read_annex_b(ByteView stream);

/// A user-data SEI with the stamp (ISO/IEC 14496-10 D.1.6), so that delay can be measured on given media.
Bytes stamp_sei(const MediaStamp& stamp);

}  // namespace parley::loadgen
