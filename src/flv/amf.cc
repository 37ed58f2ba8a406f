#include "flv/amf.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace parley::flv {

const AmfValue* AmfObject::find(std::string_view name) const {
    const auto at = std::find_if(
        properties.begin(), properties.end(), [&](const AmfProperty& p) { return p.name == name; });
    return at == properties.end() ? nullptr : &at->value;
}

AmfObject& AmfObject::add(std::string name, AmfValue value) {
    properties.push_back({std::move(name), std::move(value)});
    return *this;
}

bool operator==(const AmfObject& a, const AmfObject& b) {
    return a.class_name == b.class_name && a.is_ecma_array == b.is_ecma_array &&
           a.properties == b.properties;
}
bool operator==(const AmfArray& a, const AmfArray& b) { return a.items == b.items; }
bool operator==(const AmfValue& a, const AmfValue& b) { return a.storage == b.storage; }

AmfValue::AmfValue() = default;
AmfValue::AmfValue(const AmfValue&) = default;
AmfValue::AmfValue(AmfValue&&) noexcept = default;
AmfValue& AmfValue::operator=(const AmfValue&) = default;
AmfValue& AmfValue::operator=(AmfValue&&) noexcept = default;
AmfValue::~AmfValue() = default;
AmfValue::AmfValue(Storage value) : storage(std::move(value)) {}
AmfValue::AmfValue(bool value) : storage(value) {}
AmfValue::AmfValue(double value) : storage(value) {}
AmfValue::AmfValue(std::string value) : storage(std::move(value)) {}
AmfValue::AmfValue(std::string_view value) : storage(std::string(value)) {}
AmfValue::AmfValue(const char* value) : storage(std::string(value)) {}
AmfValue::AmfValue(AmfNull value) : storage(value) {}
AmfValue::AmfValue(AmfObject value) : storage(std::move(value)) {}
AmfValue::AmfValue(AmfArray value) : storage(std::move(value)) {}

double AmfValue::number_or(double fallback) const {
    const double* number = std::get_if<double>(&storage);
    return number != nullptr ? *number : fallback;
}

bool AmfValue::bool_or(bool fallback) const {
    const bool* flag = std::get_if<bool>(&storage);
    return flag != nullptr ? *flag : fallback;
}

std::string_view AmfValue::text() const {
    const std::string* text = std::get_if<std::string>(&storage);
    return text != nullptr ? std::string_view(*text) : std::string_view();
}

AmfReader::AmfReader(ByteView bytes, Version version, const AmfLimits& limits)
    : in_(bytes),
      version_(version),
      budget_{limits.max_values, limits.max_text_bytes},
      max_depth_(limits.max_depth) {}

Result<AmfValue> AmfReader::next() {
    Result<AmfValue> value = version_ == Version::kAmf3 ? read_amf3() : read_amf0(0);
    // One broken value leaves no place to go on from.
    if (!value) in_.skip(in_.remaining());
    return value;
}

Result<std::vector<AmfValue>> parse_amf(ByteView bytes,
                                        AmfReader::Version version,
                                        const AmfLimits& limits) {
    AmfReader reader(bytes, version, limits);
    std::vector<AmfValue> values;
    do {
        Result<AmfValue> value = reader.next();
        if (!value) return tl::unexpected(value.error());
        values.push_back(std::move(*value));
    } while (!reader.at_end());
    return values;
}

}  // namespace parley::flv
