#include <bit>
#include <cmath>

#include "flv/amf.h"
#include "flv/amf3_reader.h"

// AMF0 (amf0-file-format-specification section 2).
namespace parley::flv {
namespace {

enum class Amf0Marker : std::uint8_t {
    kNumber = 0x00,
    kBoolean = 0x01,
    kString = 0x02,
    kObject = 0x03,
    kMovieClip = 0x04,
    kNull = 0x05,
    kUndefined = 0x06,
    kReference = 0x07,
    kEcmaArray = 0x08,
    kObjectEnd = 0x09,
    kStrictArray = 0x0A,
    kDate = 0x0B,
    kLongString = 0x0C,
    kUnsupported = 0x0D,
    kRecordSet = 0x0E,
    kXmlDocument = 0x0F,
    kTypedObject = 0x10,
    kAvmPlus = 0x11,
};

constexpr std::size_t kMaxShortText = 0xFFFF;

void put_u16(Bytes& out, std::size_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

void put_u32(Bytes& out, std::size_t value) {
    put_u16(out, value >> 16 & 0xFFFF);
    put_u16(out, value & 0xFFFF);
}

void put_double(Bytes& out, double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    put_u32(out, bits >> 32);
    put_u32(out, bits & 0xFFFF'FFFF);
}

void put_text(Bytes& out, std::string_view text) {
    out.insert(out.end(), text.begin(), text.end());
}

void put_short_text(Bytes& out, std::string_view text) {
    text = text.substr(0, kMaxShortText);
    put_u16(out, text.size());
    put_text(out, text);
}

void put_marker(Bytes& out, Amf0Marker marker) { out.push_back(static_cast<std::uint8_t>(marker)); }

struct Amf0Writer {
    Bytes& out;

    void operator()(AmfUndefined) const { put_marker(out, Amf0Marker::kUndefined); }
    void operator()(AmfNull) const { put_marker(out, Amf0Marker::kNull); }
    void operator()(bool value) const {
        put_marker(out, Amf0Marker::kBoolean);
        out.push_back(value ? 1 : 0);
    }
    void operator()(double value) const {
        put_marker(out, Amf0Marker::kNumber);
        put_double(out, value);
    }
    void operator()(const std::string& text) const {
        if (text.size() > kMaxShortText) {
            put_marker(out, Amf0Marker::kLongString);
            put_u32(out, text.size());
            put_text(out, text);
        } else {
            put_marker(out, Amf0Marker::kString);
            put_short_text(out, text);
        }
    }
    void operator()(const AmfObject& object) const {
        if (!object.class_name.empty()) {
            put_marker(out, Amf0Marker::kTypedObject);
            put_short_text(out, object.class_name);
        } else if (object.is_ecma_array) {
            put_marker(out, Amf0Marker::kEcmaArray);
            put_u32(out, object.properties.size());
        } else {
            put_marker(out, Amf0Marker::kObject);
        }
        for (const AmfProperty& property : object.properties) {
            // An empty name before another value than the end mark is read as a property by
            // everyone.
            put_short_text(out, property.name);
            write_amf0(out, property.value);
        }
        put_u16(out, 0);
        put_marker(out, Amf0Marker::kObjectEnd);
    }
    void operator()(const AmfArray& array) const {
        put_marker(out, Amf0Marker::kStrictArray);
        put_u32(out, array.items.size());
        for (const AmfValue& item : array.items) write_amf0(out, item);
    }
    void operator()(const AmfDate& date) const {
        put_marker(out, Amf0Marker::kDate);
        put_double(out, date.unix_ms);
        put_u16(out, 0);  // section 2.13: the time zone is reserved
    }
    void operator()(const AmfXml& xml) const {
        put_marker(out, Amf0Marker::kXmlDocument);
        put_u32(out, xml.text.size());
        put_text(out, xml.text);
    }
    void operator()(const AmfByteArray&) const { put_marker(out, Amf0Marker::kNull); }
};

}  // namespace

Result<std::string> AmfReader::read_amf0_text(std::size_t size) {
    const ByteView text = in_.view(size);
    if (!in_.ok()) return fail(Errc::kTruncated, "AMF0 text");
    if (!budget_.take_text(size)) return fail(Errc::kTooLarge, "AMF0 text");
    return std::string(as_text_view(text));
}

Result<AmfValue> AmfReader::read_amf0_object(std::size_t depth, AmfObject object) {
    while (true) {
        const std::size_t name_size = in_.u16();
        Result<std::string> name = read_amf0_text(name_size);
        if (!name) return tl::unexpected(name.error());
        if (name->empty()) {
            // The end mark is an empty name and 0x09; a property with an empty name is possible
            // too.
            ByteReader ahead = in_;
            if (static_cast<Amf0Marker>(ahead.u8()) == Amf0Marker::kObjectEnd && ahead.ok()) {
                in_ = ahead;
                return AmfValue(std::move(object));
            }
        }
        Result<AmfValue> value = read_amf0(depth + 1);
        if (!value) return value;
        object.add(std::move(*name), std::move(*value));
    }
}

Result<AmfValue> AmfReader::read_amf0_array(std::size_t depth) {
    const std::uint32_t count = in_.u32();
    if (!in_.ok()) return fail(Errc::kTruncated, "AMF0 strict array");
    // Each item takes a byte or more: a larger count lies, and is found out before anything is made
    // for it.
    if (count > in_.remaining()) return fail(Errc::kTruncated, "AMF0 strict array");
    AmfArray array;
    for (std::uint32_t i = 0; i < count; ++i) {
        Result<AmfValue> item = read_amf0(depth + 1);
        if (!item) return item;
        array.items.push_back(std::move(*item));
    }
    return AmfValue(std::move(array));
}

Result<AmfValue> AmfReader::read_amf0(std::size_t depth) {
    if (depth >= max_depth_) return fail(Errc::kTooLarge, "AMF0 depth", in_.offset());
    if (!budget_.take_value()) return fail(Errc::kTooLarge, "AMF0 values", in_.offset());
    const std::size_t at = in_.offset();
    const auto marker = static_cast<Amf0Marker>(in_.u8());
    if (!in_.ok()) return fail(Errc::kTruncated, "AMF0 marker", at);
    AmfValue value;
    switch (marker) {
        case Amf0Marker::kNumber:
            value = std::bit_cast<double>(in_.u64());
            break;
        case Amf0Marker::kBoolean:
            value = in_.u8() != 0;
            break;
        case Amf0Marker::kNull:
            value = AmfNull{};
            break;
        case Amf0Marker::kUndefined:
        case Amf0Marker::kUnsupported:
            break;
        case Amf0Marker::kDate: {
            const auto unix_ms = std::bit_cast<double>(in_.u64());
            (void)in_.u16();
            value.storage = AmfDate{unix_ms};
            break;
        }
        case Amf0Marker::kString:
        case Amf0Marker::kLongString:
        case Amf0Marker::kXmlDocument: {
            const std::size_t size = marker == Amf0Marker::kString ? in_.u16() : in_.u32();
            Result<std::string> text = read_amf0_text(size);
            if (!text) return tl::unexpected(text.error());
            if (marker == Amf0Marker::kXmlDocument) {
                value.storage = AmfXml{std::move(*text)};
            } else {
                value.storage = std::move(*text);
            }
            break;
        }
        case Amf0Marker::kObject:
            return read_amf0_object(depth, {});
        case Amf0Marker::kEcmaArray:
            // The count is a hint that many encoders leave at 0 or wrong: the end mark counts.
            (void)in_.u32();
            return read_amf0_object(depth, {.is_ecma_array = true});
        case Amf0Marker::kTypedObject: {
            const std::size_t size = in_.u16();
            Result<std::string> name = read_amf0_text(size);
            if (!name) return tl::unexpected(name.error());
            return read_amf0_object(depth, {.class_name = std::move(*name)});
        }
        case Amf0Marker::kStrictArray:
            return read_amf0_array(depth);
        case Amf0Marker::kAvmPlus: {
            Amf3Reader reader(in_, budget_, max_depth_ - depth);
            return reader.read(0);
        }
        case Amf0Marker::kReference:
        case Amf0Marker::kMovieClip:
        case Amf0Marker::kRecordSet:
            return fail(Errc::kUnsupported, "AMF0 marker", at);
        case Amf0Marker::kObjectEnd:
        default:
            return fail(Errc::kMalformed, "AMF0 marker", at);
    }
    if (!in_.ok()) return fail(Errc::kTruncated, "AMF0 value", at);
    return value;
}

void write_amf0(Bytes& out, const AmfValue& value) { std::visit(Amf0Writer{out}, value.storage); }

}  // namespace parley::flv
