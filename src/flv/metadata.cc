#include "flv/metadata.h"

#include <charconv>
#include <cmath>

#include "flv/video_tag.h"

namespace parley::flv {
namespace {

constexpr std::size_t kMaxEncoderBytes = 256;
constexpr double kAvcId = 7;
constexpr double kAacId = 10;

std::optional<double> number(const AmfObject& object, std::string_view name) {
    const AmfValue* value = object.find(name);
    if (value == nullptr) return std::nullopt;
    double result = value->number_or(NAN);
    if (const std::string_view text = value->text(); !text.empty()) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
        if (error != std::errc() || end != text.data() + text.size()) result = NAN;
    }
    if (!std::isfinite(result)) return std::nullopt;
    return result;
}

/// FMLE writes codec names where others write numbers.
std::optional<double> codec_id(const AmfObject& object, std::string_view name) {
    const AmfValue* value = object.find(name);
    if (value == nullptr) return std::nullopt;
    const std::string_view text = value->text();
    if (text == "avc1") return kAvcId;
    if (text == "mp4a") return kAacId;
    if (text.size() == 4 && number(object, name) == std::nullopt)
        return load_u32(as_bytes_view(text).data());
    return number(object, name);
}

Result<AmfObject> read_named_object(ByteView payload) {
    AmfReader reader(payload);
    Result<AmfValue> name = reader.next();
    if (name && name->text() == "@setDataFrame") name = reader.next();
    if (!name) return tl::unexpected(name.error());
    if (name->text() != "onMetaData") return fail(Errc::kNotFound, "onMetaData");
    const Result<AmfValue> value = reader.next();
    if (!value) return tl::unexpected(value.error());
    const AmfObject* object = value->object();
    if (object == nullptr) return fail(Errc::kMalformed, "onMetaData");
    return *object;
}

}  // namespace

Result<Metadata> parse_metadata(ByteView payload) {
    const Result<AmfObject> object = read_named_object(payload);
    if (!object) return tl::unexpected(object.error());
    Metadata m;
    m.width = number(*object, "width");
    m.height = number(*object, "height");
    m.frame_rate = number(*object, "framerate");
    if (!m.frame_rate) m.frame_rate = number(*object, "fps");
    m.video_bitrate_kbps = number(*object, "videodatarate");
    m.video_codec_id = codec_id(*object, "videocodecid");
    m.audio_bitrate_kbps = number(*object, "audiodatarate");
    m.audio_codec_id = codec_id(*object, "audiocodecid");
    m.audio_sample_rate_hz = number(*object, "audiosamplerate");
    if (const AmfValue* stereo = object->find("stereo");
        stereo != nullptr && std::holds_alternative<bool>(stereo->storage)) {
        m.stereo = stereo->bool_or(false);
    } else if (const auto channels = number(*object, "audiochannels")) {
        m.stereo = *channels > 1;
    }
    if (const AmfValue* encoder = object->find("encoder")) {
        m.encoder = encoder->text().substr(0, kMaxEncoderBytes);
    }
    return m;
}

Bytes write_metadata(const Metadata& metadata) {
    AmfObject object{.is_ecma_array = true};
    const auto add = [&](const char* name, const auto& value) {
        if (value) object.add(name, AmfValue(*value));
    };
    add("width", metadata.width);
    add("height", metadata.height);
    add("framerate", metadata.frame_rate);
    add("videodatarate", metadata.video_bitrate_kbps);
    add("videocodecid", metadata.video_codec_id);
    add("audiodatarate", metadata.audio_bitrate_kbps);
    add("audiocodecid", metadata.audio_codec_id);
    add("audiosamplerate", metadata.audio_sample_rate_hz);
    add("stereo", metadata.stereo);
    if (!metadata.encoder.empty()) object.add("encoder", metadata.encoder);
    Bytes out;
    write_amf0(out, "onMetaData");
    write_amf0(out, std::move(object));
    return out;
}

std::string data_message_name(ByteView payload) {
    AmfReader reader(payload);
    const Result<AmfValue> name = reader.next();
    return name ? std::string(name->text()) : std::string();
}

}  // namespace parley::flv
