#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/bytes.h"

namespace parley::flv {

/// What a message carries. The numbers are the FLV tag type (E.4.1) and the RTMP message type
/// (section 7.1) alike.
enum class MediaKind : std::uint8_t { kAudio = 8, kVideo = 9, kData = 18 };

/// Immutable and counted, so that one payload serves every player of a stream, RTMP and FLV.
using SharedPayload = std::shared_ptr<const Bytes>;

inline SharedPayload make_payload(Bytes bytes) {
    return std::make_shared<const Bytes>(std::move(bytes));
}

/// One audio, video or script-data message as RTMP and FLV both carry it: the payload is the tag
/// body, that is an audio or video tag header with its data (`audio_tag.h`, `video_tag.h`), or AMF0
/// values that begin with a name such as "onMetaData" (`metadata.h`).
struct Message {
    MediaKind kind = MediaKind::kData;
    /// Decoding time. Wraps at 2^32 only on the wire; may be negative where a source steps back
    /// past its first message.
    std::int64_t timestamp_ms = 0;
    SharedPayload payload;

    [[nodiscard]] ByteView bytes() const { return payload ? ByteView(*payload) : ByteView(); }
};

/// The 32-bit timestamps of one stream as 64-bit ones. Each is taken as the nearest to the last, so
/// that audio and video that lie apart, steps back and the wrap at 2^32 ms (49.7 days) all come out
/// right.
class TimestampUnwrapper {
public:
    std::int64_t unwrap(std::uint32_t timestamp_ms) {
        const auto step =
            static_cast<std::int32_t>(timestamp_ms - static_cast<std::uint32_t>(last_));
        last_ = started_ ? last_ + step : static_cast<std::int64_t>(timestamp_ms);
        started_ = true;
        return last_;
    }

private:
    std::int64_t last_ = 0;
    bool started_ = false;
};

}  // namespace parley::flv
