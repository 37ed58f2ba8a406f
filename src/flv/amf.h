#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

/// Action Message Format, versions 0 and 3 (Adobe amf0-file-format-specification,
/// amf-file-format-spec): the values of RTMP commands and of FLV script data.
namespace parley::flv {

struct AmfValue;
struct AmfProperty;

struct AmfUndefined {
    friend bool operator==(AmfUndefined, AmfUndefined) { return true; }
};
struct AmfNull {
    friend bool operator==(AmfNull, AmfNull) { return true; }
};
/// Milliseconds since the Unix epoch, UTC.
struct AmfDate {
    double unix_ms = 0;
    friend bool operator==(const AmfDate&, const AmfDate&) = default;
};
struct AmfXml {
    std::string text;
    friend bool operator==(const AmfXml&, const AmfXml&) = default;
};
/// ByteArray; AMF3 only, AMF0 writes it as null.
struct AmfByteArray {
    Bytes data;
    friend bool operator==(const AmfByteArray&, const AmfByteArray&) = default;
};
/// Anonymous object, typed object (`class_name`) or ECMA array, in the order of the wire.
struct AmfObject {
    std::vector<AmfProperty> properties;
    std::string class_name;
    bool is_ecma_array = false;

    /// The first property of that name; nullptr when there is none.
    [[nodiscard]] const AmfValue* find(std::string_view name) const;
    AmfObject& add(std::string name, AmfValue value);
    friend bool operator==(const AmfObject&, const AmfObject&);
};
struct AmfArray {
    std::vector<AmfValue> items;
    friend bool operator==(const AmfArray&, const AmfArray&);
};

/// One value. AMF3 integers are numbers here, and whole numbers of 29 bits become integers again.
struct AmfValue {
    using Storage = std::variant<AmfUndefined,
                                 AmfNull,
                                 bool,
                                 double,
                                 std::string,
                                 AmfObject,
                                 AmfArray,
                                 AmfDate,
                                 AmfXml,
                                 AmfByteArray>;
    Storage storage;

    // Defined where AmfProperty is complete.
    AmfValue();
    AmfValue(const AmfValue&);
    AmfValue(AmfValue&&) noexcept;
    AmfValue& operator=(const AmfValue&);
    AmfValue& operator=(AmfValue&&) noexcept;
    ~AmfValue();
    AmfValue(Storage value);      // NOLINT(google-explicit-constructor): a value is what it holds
    AmfValue(bool value);         // NOLINT(google-explicit-constructor)
    AmfValue(double value);       // NOLINT(google-explicit-constructor)
    AmfValue(std::string value);  // NOLINT(google-explicit-constructor)
    AmfValue(std::string_view value);  // NOLINT(google-explicit-constructor)
    AmfValue(const char* value);       // NOLINT(google-explicit-constructor)
    AmfValue(AmfNull value);           // NOLINT(google-explicit-constructor)
    AmfValue(AmfObject value);         // NOLINT(google-explicit-constructor)
    AmfValue(AmfArray value);          // NOLINT(google-explicit-constructor)

    /// What is asked for, or the fallback where the value is something else.
    [[nodiscard]] double number_or(double fallback) const;
    [[nodiscard]] bool bool_or(bool fallback) const;
    [[nodiscard]] std::string_view text() const;  ///< empty when it is no string
    [[nodiscard]] const AmfObject* object() const { return std::get_if<AmfObject>(&storage); }
    [[nodiscard]] const AmfArray* array() const { return std::get_if<AmfArray>(&storage); }
    friend bool operator==(const AmfValue&, const AmfValue&);
};

struct AmfProperty {
    std::string name;
    AmfValue value;
    friend bool operator==(const AmfProperty&, const AmfProperty&) = default;
};

/// Bounds of one message: what it may cost is counted as it is read, whatever its length fields
/// promise, so that neither nesting nor references multiply. AMF3 counts an object once more for
/// each object around it, because its references need copies of all of them.
struct AmfLimits {
    std::size_t max_depth = 16;
    std::size_t max_values = 512;  ///< in all, properties included
    std::size_t max_text_bytes =
        65'536;  ///< names, strings and byte arrays together, references as often as used
};

/// Reads values one after the other. A value that AMF0 marks as AMF3 (0x11) is read as AMF3, with
/// tables of its own. Errors: kTruncated, kMalformed, kTooLarge (a limit), kUnsupported (AMF0
/// references and record sets, AMF3 vectors, dictionaries, externalizable objects except
/// ArrayCollection and ObjectProxy).
class AmfReader {
public:
    enum class Version : std::uint8_t { kAmf0, kAmf3 };

    explicit AmfReader(ByteView bytes,
                       Version version = Version::kAmf0,
                       const AmfLimits& limits = {});

    [[nodiscard]] bool at_end() const { return in_.at_end(); }
    [[nodiscard]] std::size_t offset() const { return in_.offset(); }
    [[nodiscard]] Result<AmfValue> next();

    struct Budget {
        std::size_t values;
        std::size_t text_bytes;

        [[nodiscard]] bool take_value() {
            if (values == 0) return false;
            --values;
            return true;
        }
        [[nodiscard]] bool take_text(std::size_t bytes) {
            if (bytes > text_bytes) return false;
            text_bytes -= bytes;
            return true;
        }
    };

private:
    Result<AmfValue> read_amf0(std::size_t depth);
    Result<AmfValue> read_amf3();
    Result<std::string> read_amf0_text(std::size_t size);
    Result<AmfValue> read_amf0_object(std::size_t depth, AmfObject object);
    Result<AmfValue> read_amf0_array(std::size_t depth);

    ByteReader in_;
    Version version_;
    Budget budget_;
    std::size_t max_depth_;
};

/// Every value up to the end. At least one; an empty message is kTruncated.
[[nodiscard]] Result<std::vector<AmfValue>> parse_amf(
    ByteView bytes,
    AmfReader::Version version = AmfReader::Version::kAmf0,
    const AmfLimits& limits = {});

/// Appends. Texts above 65,535 bytes become long strings; longer names are cut.
void write_amf0(Bytes& out, const AmfValue& value);
/// Appends; strings and objects by value, never by reference.
void write_amf3(Bytes& out, const AmfValue& value);

}  // namespace parley::flv
