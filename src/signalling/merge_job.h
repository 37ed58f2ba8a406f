#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace parley::signalling {

enum class StretchMode : std::uint8_t { kAspectFill, kAspectFit, kScaleToFit };

/// A picture from elsewhere, in pixels of the canvas.
struct MergePicture {
    std::string url;
    std::int32_t x = 0;
    std::int32_t y = 0;
    std::int32_t width = 0;  ///< 0: its own
    std::int32_t height = 0;

    friend bool operator==(const MergePicture&, const MergePicture&) = default;
};

/// What a `create-merge-job` asks for (protocol section 3.9). The defaults are those of the web
/// SDK.
struct MergeJob {
    static constexpr std::size_t kMaxWatermarks = 64;
    static constexpr std::size_t kMaxTextBytes = 2'048;

    std::string id;           ///< empty: the room's default job
    std::string publish_url;  ///< empty: not pushed anywhere
    std::int32_t width = 1'080;
    std::int32_t height = 720;
    std::int32_t fps = 25;
    std::int32_t kbps = 1'000;
    std::optional<std::int32_t> min_kbps;
    std::optional<std::int32_t> max_kbps;
    bool audio_only = false;
    bool hold_last_frame = false;
    StretchMode stretch_mode = StretchMode::kAspectFill;
    std::optional<MergePicture> background;
    std::vector<MergePicture> watermarks;

    friend bool operator==(const MergeJob&, const MergeJob&) = default;
};

/// Of web and mini-program clients alike. The latter send each default that the app left alone as
/// an empty string, which counts as absent, and may use the names of their typed API: `url`,
/// `videoFrameRate`, `bitrate`, `minBitrate`, `maxBitrate`, `width` and `height` of pictures.
/// kMalformed: the text names the field.
[[nodiscard]] Result<MergeJob> parse_merge_job(const boost::json::object& body);

}  // namespace parley::signalling
