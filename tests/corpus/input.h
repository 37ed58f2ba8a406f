#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "../codec/pictures.h"
#include "../codec/support.h"
#include "base/time.h"
#include "flv/audio_tag.h"
#include "flv/video_tag.h"
#include "rtmp/message.h"

namespace parley::corpus {

using rtmp::MessageType;

/// What an encoder sends once it may publish: whole messages, or bytes as they are.
class Input {
public:
    struct Step {
        Duration at{};  ///< when it arrives
        MessageType type{};
        std::int64_t timestamp_ms = 0;
        Bytes payload;
        bool is_raw = false;
    };

    void message(Duration at, MessageType type, std::int64_t timestamp_ms, Bytes payload) {
        steps_.push_back({at, type, timestamp_ms, std::move(payload), false});
    }
    void raw(Duration at, Bytes bytes) { steps_.push_back({at, {}, 0, std::move(bytes), true}); }

    /// In the order of arrival; what was added first comes first.
    [[nodiscard]] std::vector<Step> steps() const {
        std::vector<Step> sorted = steps_;
        std::stable_sort(
            sorted.begin(), sorted.end(), [](const Step& a, const Step& b) { return a.at < b.at; });
        return sorted;
    }

    /// Of the connection as a whole.
    std::uint32_t chunk_size = 60'000;
    std::size_t write_size = 1 << 20;  ///< bytes of one write

private:
    std::vector<Step> steps_;
};

/// The time that an encoder writes for what it sends at `ms`.
using Times = std::function<std::int64_t(std::int64_t ms)>;

inline constexpr int kWidth = 64;
inline constexpr int kHeight = 48;

struct Picture {
    Duration at{};
    std::int64_t ms = 0;
    std::int32_t composition_ms = 0;
    bool is_key = false;
    Bytes data;  ///< AVCC
};

struct PictureOptions {
    using Settings = std::vector<std::pair<const char*, const char*>>;

    Duration from{};
    Duration length = 2s;
    double fps = 15;
    int width = kWidth;
    int height = kHeight;
    Settings encoder;  ///< beside those of `encode_pictures`
    Times time;
    std::function<void(Picture&)> change;
    bool header = true;
    std::function<Bytes(Bytes)> change_header;
};

struct EncodedPictures {
    Bytes config;
    std::vector<Picture> pictures;
};

inline bool has_idr(ByteView avcc) {
    media::AvccReader reader(avcc, 4);
    while (const auto nal = reader.next()) {
        if (!nal->empty() && media::nal_type((*nal)[0]) == media::NalType::kIdr) return true;
    }
    return false;
}

/// Constrained baseline, a key frame each second, unless `encoder` says otherwise. Each picture is
/// brighter than the one before, modulo 20.
inline EncodedPictures encode_pictures(const PictureOptions& options) {
    const std::string gop = std::to_string(std::max(1, static_cast<int>(options.fps)));
    PictureOptions::Settings settings{{"preset", "ultrafast"},
                                      {"tune", "zerolatency"},
                                      {"profile", "baseline"},
                                      {"g", gop.c_str()}};
    settings.insert(settings.end(), options.encoder.begin(), options.encoder.end());
    codec::testing::PictureSource source("libx264", options.width, options.height, settings);
    EncodedPictures out;
    if (!source.ok()) return out;
    out.config = source.avc_config();
    const double step_ms = 1'000 / options.fps;
    auto coded =
        source.encode(static_cast<int>(static_cast<double>(to_ms(options.length)) / step_ms));
    for (auto& rest : source.finish()) coded.push_back(std::move(rest));
    // Decoding times so late that no picture is shown before it.
    std::int64_t reorder = 0;
    for (std::size_t i = 0; i < coded.size(); ++i) {
        reorder = std::max(reorder, static_cast<std::int64_t>(i) - coded[i].pts);
    }
    const std::int64_t from_ms = to_ms(options.from);
    for (std::size_t i = 0; i < coded.size(); ++i) {
        Picture picture;
        const auto ms = static_cast<std::int64_t>(static_cast<double>(i) * step_ms);
        picture.at = options.from + Duration(ms * 1'000'000);
        picture.ms = options.time ? options.time(from_ms + ms) : from_ms + ms;
        const auto ahead = coded[i].pts + reorder - static_cast<std::int64_t>(i);
        picture.composition_ms = static_cast<std::int32_t>(static_cast<double>(ahead) * step_ms);
        picture.data = codec::testing::annex_b_to_avcc(coded[i].data);
        picture.is_key = has_idr(picture.data);
        out.pictures.push_back(std::move(picture));
    }
    return out;
}

inline void add(Input& input, const EncodedPictures& encoded, const PictureOptions& options) {
    if (encoded.pictures.empty()) return;
    const Bytes config =
        options.change_header ? options.change_header(encoded.config) : encoded.config;
    if (options.header) {
        input.message(options.from,
                      MessageType::kVideo,
                      encoded.pictures.front().ms,
                      flv::write_avc_sequence_header(config));
    }
    for (Picture picture : encoded.pictures) {
        if (options.change) options.change(picture);
        input.message(picture.at,
                      MessageType::kVideo,
                      picture.ms,
                      flv::write_avc_frame(picture.is_key, picture.composition_ms, picture.data));
    }
}

inline void add_pictures(Input& input, const PictureOptions& options = {}) {
    add(input, encode_pictures(options), options);
}

struct SoundOptions {
    Duration from{};
    Duration length = 2s;
    int rate = 44'100;
    int channels = 2;
    Times time;
    std::function<Bytes(Bytes)> change;  ///< of each frame
    bool header = true;
    std::function<Bytes(Bytes)> change_header;
};

inline constexpr double kTone = 440;
inline constexpr double kToneLevel = 6'000;

inline void add_sound(Input& input, const SoundOptions& options = {}) {
    codec::testing::AacSource source(options.rate, options.channels);
    if (!source.ok()) return;
    const auto rate = static_cast<double>(options.rate);
    const auto frames =
        static_cast<std::size_t>(static_cast<double>(to_ms(options.length)) * rate / 1'000);
    const auto pcm =
        codec::testing::tone(frames,
                             rate,
                             std::vector<double>(static_cast<std::size_t>(options.channels), kTone),
                             kToneLevel);
    const std::int64_t from_ms = to_ms(options.from);
    const auto time = [&](std::int64_t ms) { return options.time ? options.time(ms) : ms; };
    const auto add_header = [&] {
        const Bytes config =
            options.change_header ? options.change_header(source.config()) : source.config();
        input.message(options.from,
                      MessageType::kAudio,
                      time(from_ms),
                      flv::write_aac_sequence_header(config));
    };
    if (options.header) add_header();
    for (const auto& [pts, data] : source.encode(pcm)) {
        const auto ms = std::max<std::int64_t>(
            0, static_cast<std::int64_t>(static_cast<double>(pts) * 1'000 / rate));
        input.message(options.from + Duration(ms * 1'000'000),
                      MessageType::kAudio,
                      time(from_ms + ms),
                      flv::write_aac_frame(options.change ? options.change(data) : data));
    }
}

}  // namespace parley::corpus
