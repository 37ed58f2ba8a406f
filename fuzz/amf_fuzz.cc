// AMF0 and AMF3; the first byte chooses. What is read can be written in the same version and reads
// as the same.

#include <cmath>
#include <cstdint>

#include "base/check.h"
#include "flv/amf.h"

using namespace parley;

namespace {

/// Where writing must give back what was read: no NaN (unequal to itself), no byte array in AMF0
/// (written as null), nothing whose form the other version decides (empty ECMA arrays, classes of
/// arrays, empty names).
bool is_plain(const flv::AmfValue& value, bool amf3) {
    if (const double* number = std::get_if<double>(&value.storage)) return !std::isnan(*number);
    if (const auto* date = std::get_if<flv::AmfDate>(&value.storage))
        return !std::isnan(date->unix_ms);
    if (std::holds_alternative<flv::AmfByteArray>(value.storage)) return amf3;
    if (const auto* object = value.object()) {
        if (!object->class_name.empty() && object->is_ecma_array) return false;
        if (object->is_ecma_array && object->properties.empty() && amf3) return false;
        for (const auto& p : object->properties) {
            if (!is_plain(p.value, amf3) || (amf3 && p.name.empty())) return false;
        }
    } else if (const auto* array = value.array()) {
        for (const auto& item : array->items) {
            if (!is_plain(item, amf3)) return false;
        }
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool amf3 = (data[0] & 1) != 0;
    const auto version = amf3 ? flv::AmfReader::Version::kAmf3 : flv::AmfReader::Version::kAmf0;
    flv::AmfReader reader(ByteView(data + 1, size - 1), version);
    while (!reader.at_end()) {
        const auto value = reader.next();
        if (!value) {
            PARLEY_CHECK(reader.at_end());
            return 0;
        }
        if (!is_plain(*value, amf3)) continue;
        Bytes written;
        if (amf3) {
            flv::write_amf3(written, *value);
        } else {
            flv::write_amf0(written, *value);
        }
        const auto again = flv::parse_amf(
            written, version, {.max_depth = 64, .max_values = 1 << 20, .max_text_bytes = 1 << 24});
        PARLEY_CHECK(again && again->size() == 1 && (*again)[0] == *value);
    }
    return 0;
}
