#include <bit>
#include <cmath>

#include "flv/amf.h"
#include "flv/amf3_reader.h"

// AMF3 (amf-file-format-spec section 3).
namespace parley::flv {
namespace {

enum class Amf3Marker : std::uint8_t {
    kUndefined = 0x00,
    kNull = 0x01,
    kFalse = 0x02,
    kTrue = 0x03,
    kInteger = 0x04,
    kDouble = 0x05,
    kString = 0x06,
    kXmlDocument = 0x07,
    kDate = 0x08,
    kArray = 0x09,
    kObject = 0x0A,
    kXml = 0x0B,
    kByteArray = 0x0C,
    kVectorInt = 0x0D,
    kVectorUint = 0x0E,
    kVectorDouble = 0x0F,
    kVectorObject = 0x10,
    kDictionary = 0x11,
};

constexpr std::int32_t kMaxInteger = (1 << 28) - 1;
constexpr std::int32_t kMinInteger = -(1 << 28);

void put_amf3_marker(Bytes& out, Amf3Marker marker) {
    out.push_back(static_cast<std::uint8_t>(marker));
}

void put_u29(Bytes& out, std::uint32_t value) {
    value &= 0x1FFF'FFFF;
    if (value >= 1u << 21) {
        out.push_back(static_cast<std::uint8_t>(value >> 22 | 0x80));
        out.push_back(static_cast<std::uint8_t>(value >> 15 | 0x80));
        out.push_back(static_cast<std::uint8_t>(value >> 8 | 0x80));
        out.push_back(static_cast<std::uint8_t>(value));
        return;
    }
    if (value >= 1u << 14) out.push_back(static_cast<std::uint8_t>(value >> 14 | 0x80));
    if (value >= 1u << 7) out.push_back(static_cast<std::uint8_t>(value >> 7 | 0x80));
    out.push_back(static_cast<std::uint8_t>(value & 0x7F));
}

void put_amf3_text(Bytes& out, std::string_view text) {
    put_u29(out, static_cast<std::uint32_t>(text.size() << 1 | 1));
    out.insert(out.end(), text.begin(), text.end());
}

void put_amf3_double(Bytes& out, double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int shift = 56; shift >= 0; shift -= 8)
        out.push_back(static_cast<std::uint8_t>(bits >> shift));
}

struct Amf3Writer {
    Bytes& out;

    void operator()(AmfUndefined) const { put_amf3_marker(out, Amf3Marker::kUndefined); }
    void operator()(AmfNull) const { put_amf3_marker(out, Amf3Marker::kNull); }
    void operator()(bool value) const {
        put_amf3_marker(out, value ? Amf3Marker::kTrue : Amf3Marker::kFalse);
    }
    void operator()(double value) const {
        const bool is_integer = value >= kMinInteger && value <= kMaxInteger &&
                                value == std::floor(value) && !(value == 0 && std::signbit(value));
        if (is_integer) {
            put_amf3_marker(out, Amf3Marker::kInteger);
            put_u29(out, static_cast<std::uint32_t>(static_cast<std::int32_t>(value)));
        } else {
            put_amf3_marker(out, Amf3Marker::kDouble);
            put_amf3_double(out, value);
        }
    }
    void operator()(const std::string& text) const {
        put_amf3_marker(out, Amf3Marker::kString);
        put_amf3_text(out, text);
    }
    void operator()(const AmfObject& object) const {
        if (object.is_ecma_array) {
            put_amf3_marker(out, Amf3Marker::kArray);
            put_u29(out, 1);  // no dense part
        } else {
            put_amf3_marker(out, Amf3Marker::kObject);
            put_u29(out, 0x0B);  // inline traits, dynamic, no sealed member
            put_amf3_text(out, object.class_name);
        }
        for (const AmfProperty& property : object.properties) {
            if (property.name.empty()) continue;  // an empty name is the end mark
            put_amf3_text(out, property.name);
            write_amf3(out, property.value);
        }
        put_amf3_text(out, {});
    }
    void operator()(const AmfArray& array) const {
        put_amf3_marker(out, Amf3Marker::kArray);
        put_u29(out, static_cast<std::uint32_t>(array.items.size() << 1 | 1));
        put_amf3_text(out, {});
        for (const AmfValue& item : array.items) write_amf3(out, item);
    }
    void operator()(const AmfDate& date) const {
        put_amf3_marker(out, Amf3Marker::kDate);
        put_u29(out, 1);
        put_amf3_double(out, date.unix_ms);
    }
    void operator()(const AmfXml& xml) const {
        put_amf3_marker(out, Amf3Marker::kXml);
        put_amf3_text(out, xml.text);
    }
    void operator()(const AmfByteArray& bytes) const {
        put_amf3_marker(out, Amf3Marker::kByteArray);
        put_amf3_text(out, as_text_view(bytes.data));
    }
};

}  // namespace

Result<AmfValue> AmfReader::read_amf3() {
    Amf3Reader reader(in_, budget_, max_depth_);
    return reader.read(0);
}

Result<std::uint32_t> Amf3Reader::read_u29() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
        const std::uint8_t byte = in_.u8();
        if (i == 3) {
            value = value << 8 | byte;
            break;
        }
        value = value << 7 | (byte & 0x7Fu);
        if ((byte & 0x80) == 0) break;
    }
    if (!in_.ok()) return fail(Errc::kTruncated, "AMF3 number");
    return value;
}

Result<std::string> Amf3Reader::read_text() {
    const Result<std::uint32_t> header = read_u29();
    if (!header) return tl::unexpected(header.error());
    if ((*header & 1) == 0) {
        const std::size_t index = *header >> 1;
        if (index >= texts_.size())
            return fail(Errc::kMalformed, "AMF3 string reference", in_.offset());
        if (!budget_.take_text(texts_[index].size()))
            return fail(Errc::kTooLarge, "AMF3 text", in_.offset());
        return texts_[index];
    }
    const std::size_t size = *header >> 1;
    const ByteView text = in_.view(size);
    if (!in_.ok()) return fail(Errc::kTruncated, "AMF3 text");
    if (!budget_.take_text(size)) return fail(Errc::kTooLarge, "AMF3 text", in_.offset());
    std::string result(as_text_view(text));
    if (!result.empty()) {
        if (texts_.size() >= kMaxReferences)
            return fail(Errc::kTooLarge, "AMF3 strings", in_.offset());
        texts_.push_back(result);
    }
    return result;
}

Result<std::size_t> Amf3Reader::reserve() {
    if (complex_.size() >= kMaxReferences)
        return fail(Errc::kTooLarge, "AMF3 objects", in_.offset());
    complex_.emplace_back();
    return complex_.size() - 1;
}

bool Amf3Reader::charge(const AmfValue& value) {
    if (!budget_.take_value()) return false;
    if (const AmfObject* object = value.object()) {
        if (!budget_.take_text(object->class_name.size())) return false;
        for (const AmfProperty& property : object->properties) {
            if (!budget_.take_text(property.name.size()) || !charge(property.value)) return false;
        }
    } else if (const AmfArray* array = value.array()) {
        for (const AmfValue& item : array->items) {
            if (!charge(item)) return false;
        }
    } else if (const auto* xml = std::get_if<AmfXml>(&value.storage)) {
        return budget_.take_text(xml->text.size());
    } else if (const auto* bytes = std::get_if<AmfByteArray>(&value.storage)) {
        return budget_.take_text(bytes->data.size());
    } else {
        return budget_.take_text(value.text().size());
    }
    return true;
}

Result<AmfValue> Amf3Reader::reference(std::uint32_t index) {
    // A value that contains itself has no end.
    if (index >= complex_.size() || !complex_[index].complete) {
        return fail(Errc::kMalformed, "AMF3 object reference", in_.offset());
    }
    if (!charge(complex_[index].value)) return fail(Errc::kTooLarge, "AMF3 values", in_.offset());
    return complex_[index].value;
}

Result<Amf3Reader::Traits> Amf3Reader::read_traits(std::uint32_t flags) {
    // `flags` is the object header without its lowest bit.
    if ((flags & 1) == 0) {
        const std::size_t index = flags >> 1;
        if (index >= traits_.size())
            return fail(Errc::kMalformed, "AMF3 traits reference", in_.offset());
        return traits_[index];
    }
    Traits traits;
    traits.is_externalizable = (flags & 2) != 0;
    traits.is_dynamic = !traits.is_externalizable && (flags & 4) != 0;
    const std::size_t members = traits.is_externalizable ? 0 : flags >> 3;
    Result<std::string> name = read_text();
    if (!name) return tl::unexpected(name.error());
    traits.class_name = std::move(*name);
    if (members > kMaxSealedMembers || traits_.size() >= kMaxReferences) {
        return fail(Errc::kTooLarge, "AMF3 traits", in_.offset());
    }
    for (std::size_t i = 0; i < members; ++i) {
        Result<std::string> member = read_text();
        if (!member) return tl::unexpected(member.error());
        traits.members.push_back(std::move(*member));
    }
    traits_.push_back(traits);
    return traits;
}

Result<void> Amf3Reader::read_dynamic(AmfObject& object, std::size_t depth) {
    while (true) {
        Result<std::string> name = read_text();
        if (!name) return tl::unexpected(name.error());
        if (name->empty()) return {};
        Result<AmfValue> value = read(depth + 1);
        if (!value) return tl::unexpected(value.error());
        object.add(std::move(*name), std::move(*value));
    }
}

Result<AmfValue> Amf3Reader::read_members(AmfObject object,
                                          const Traits& traits,
                                          std::size_t depth) {
    for (const std::string& member : traits.members) {
        if (!budget_.take_text(member.size()))
            return fail(Errc::kTooLarge, "AMF3 text", in_.offset());
        Result<AmfValue> value = read(depth + 1);
        if (!value) return value;
        object.add(member, std::move(*value));
    }
    if (traits.is_dynamic) {
        if (const Result<void> done = read_dynamic(object, depth); !done)
            return tl::unexpected(done.error());
    }
    return AmfValue(std::move(object));
}

Result<AmfValue> Amf3Reader::read_object(std::uint32_t header, std::size_t depth) {
    if ((header & 1) == 0) return reference(header >> 1);
    const Result<std::size_t> place = reserve();
    if (!place) return tl::unexpected(place.error());
    const Result<Traits> traits = read_traits(header >> 1);
    if (!traits) return tl::unexpected(traits.error());
    if (!budget_.take_text(traits->class_name.size()))
        return fail(Errc::kTooLarge, "AMF3 text", in_.offset());
    Result<AmfValue> value;
    if (traits->is_externalizable) {
        // These two hold exactly one value of the wrapped kind; what others hold only they know.
        if (traits->class_name != "flex.messaging.io.ArrayCollection" &&
            traits->class_name != "flex.messaging.io.ObjectProxy") {
            return fail(Errc::kUnsupported, "AMF3 externalizable object", in_.offset());
        }
        value = read(depth + 1);
    } else {
        value = read_members({.class_name = traits->class_name}, *traits, depth);
    }
    if (!value) return value;
    if (!charge(*value)) return fail(Errc::kTooLarge, "AMF3 values", in_.offset());
    complex_[*place] = {.complete = true, .value = *value};
    return value;
}

Result<AmfValue> Amf3Reader::read_array(std::uint32_t header, std::size_t depth) {
    if ((header & 1) == 0) return reference(header >> 1);
    const Result<std::size_t> place = reserve();
    if (!place) return tl::unexpected(place.error());
    const std::size_t count = header >> 1;
    AmfObject associative{.is_ecma_array = true};
    if (const Result<void> done = read_dynamic(associative, depth); !done)
        return tl::unexpected(done.error());
    if (count > in_.remaining()) return fail(Errc::kTruncated, "AMF3 array", in_.offset());
    AmfArray dense;
    for (std::size_t i = 0; i < count; ++i) {
        Result<AmfValue> item = read(depth + 1);
        if (!item) return item;
        dense.items.push_back(std::move(*item));
    }
    // An array with names has its dense part under the indexes, as ECMAScript sees it.
    AmfValue value;
    const bool has_names = !associative.properties.empty();
    if (has_names) {
        for (std::size_t i = 0; i < dense.items.size(); ++i) {
            associative.add(std::to_string(i), std::move(dense.items[i]));
        }
        value = std::move(associative);
    } else {
        value = std::move(dense);
    }
    if (!charge(value)) return fail(Errc::kTooLarge, "AMF3 values", in_.offset());
    complex_[*place] = {.complete = true, .value = value};
    return value;
}

Result<AmfValue> Amf3Reader::read(std::size_t depth) {
    const std::size_t at = in_.offset();
    if (depth >= max_depth_) return fail(Errc::kTooLarge, "AMF3 depth", at);
    if (!budget_.take_value()) return fail(Errc::kTooLarge, "AMF3 values", at);
    const auto marker = static_cast<Amf3Marker>(in_.u8());
    if (!in_.ok()) return fail(Errc::kTruncated, "AMF3 marker", at);
    switch (marker) {
        case Amf3Marker::kUndefined:
            return AmfValue();
        case Amf3Marker::kNull:
            return AmfValue(AmfNull{});
        case Amf3Marker::kFalse:
            return AmfValue(false);
        case Amf3Marker::kTrue:
            return AmfValue(true);
        case Amf3Marker::kDouble: {
            const auto value = std::bit_cast<double>(in_.u64());
            if (!in_.ok()) return fail(Errc::kTruncated, "AMF3 double", at);
            return AmfValue(value);
        }
        case Amf3Marker::kInteger: {
            const Result<std::uint32_t> bits = read_u29();
            if (!bits) return tl::unexpected(bits.error());
            // Sign extension of 29 bits.
            return AmfValue(static_cast<double>(static_cast<std::int32_t>(*bits << 3) >> 3));
        }
        case Amf3Marker::kString: {
            Result<std::string> text = read_text();
            if (!text) return tl::unexpected(text.error());
            return AmfValue(std::move(*text));
        }
        case Amf3Marker::kVectorInt:
        case Amf3Marker::kVectorUint:
        case Amf3Marker::kVectorDouble:
        case Amf3Marker::kVectorObject:
        case Amf3Marker::kDictionary:
            return fail(Errc::kUnsupported, "AMF3 marker", at);
        case Amf3Marker::kXmlDocument:
        case Amf3Marker::kXml:
        case Amf3Marker::kDate:
        case Amf3Marker::kArray:
        case Amf3Marker::kObject:
        case Amf3Marker::kByteArray:
            break;
        default:
            return fail(Errc::kMalformed, "AMF3 marker", at);
    }

    const Result<std::uint32_t> header = read_u29();
    if (!header) return tl::unexpected(header.error());
    if (marker == Amf3Marker::kArray) return read_array(*header, depth);
    if (marker == Amf3Marker::kObject) return read_object(*header, depth);
    if ((*header & 1) == 0) return reference(*header >> 1);
    const Result<std::size_t> place = reserve();
    if (!place) return tl::unexpected(place.error());
    AmfValue value;
    if (marker == Amf3Marker::kDate) {
        value.storage = AmfDate{std::bit_cast<double>(in_.u64())};
    } else {
        const ByteView bytes = in_.view(*header >> 1);
        if (!budget_.take_text(2 * bytes.size())) return fail(Errc::kTooLarge, "AMF3 bytes", at);
        if (marker == Amf3Marker::kByteArray) {
            value.storage = AmfByteArray{to_bytes(bytes)};
        } else {
            value.storage = AmfXml{std::string(as_text_view(bytes))};
        }
    }
    if (!in_.ok()) return fail(Errc::kTruncated, "AMF3 value", at);
    complex_[*place] = {.complete = true, .value = value};
    return value;
}

void write_amf3(Bytes& out, const AmfValue& value) { std::visit(Amf3Writer{out}, value.storage); }

}  // namespace parley::flv
