#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "flv/amf.h"

namespace parley::flv {

/// What an `onMetaData` message says of a stream (E.5). Nothing is required, and nothing is
/// announced that is not there: a player opens a decoder for each id it finds.
struct Metadata {
    std::optional<double> width;
    std::optional<double> height;
    std::optional<double> frame_rate;
    std::optional<double> video_bitrate_kbps;
    std::optional<double> video_codec_id;  ///< 7 = AVC, or a FourCC as a number (enhanced RTMP)
    std::optional<double> audio_bitrate_kbps;
    std::optional<double> audio_codec_id;  ///< 10 = AAC
    std::optional<double> audio_sample_rate_hz;
    std::optional<bool> stereo;
    std::string encoder;

    friend bool operator==(const Metadata&, const Metadata&) = default;
};

/// The body of a data message whose name is `onMetaData`; a leading `@setDataFrame` is passed over,
/// numbers that came as strings are taken. Errors: as AmfReader; kNotFound for another name.
[[nodiscard]] Result<Metadata> parse_metadata(ByteView payload);
/// "onMetaData" and an ECMA array.
[[nodiscard]] Bytes write_metadata(const Metadata& metadata);
/// The name of a data message ("onMetaData", "onTextData", "onCuePoint" ...); empty where there is
/// none.
[[nodiscard]] std::string data_message_name(ByteView payload);

}  // namespace parley::flv
