#include "flv/amf.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/rng.h"

namespace parley::flv {
namespace {

using Version = AmfReader::Version;

Bytes hex(std::string_view text) { return *hex_decode(text); }

AmfObject object(std::vector<AmfProperty> properties) {
    return {.properties = std::move(properties)};
}

struct Vector {
    const char* bytes;
    AmfValue value;
};

// amf0-file-format-specification section 2.
std::vector<Vector> amf0_vectors() {
    return {
        {"003ff0000000000000", 1.0},
        {"0101", true},
        {"0100", false},
        {"0200036162 63", "abc"},
        {"020000", ""},
        {"05", AmfNull{}},
        {"06", {}},
        {"03 0001 61 05 000009", object({{"a", AmfNull{}}})},
        {"08 00000001 0001 61 0101 000009",
         AmfObject{.properties = {{"a", true}}, .is_ecma_array = true}},
        {"0a 00000002 05 06", AmfArray{{AmfNull{}, {}}}},
        {"0b 4270000000000000 0000", AmfValue::Storage(AmfDate{0x1.0p40})},
        {"0f 00000003 3c612f", AmfValue::Storage(AmfXml{"<a/"})},
        {"10 0001 43 0001 61 05 000009",
         AmfObject{.properties = {{"a", AmfNull{}}}, .class_name = "C"}},
    };
}

// amf-file-format-spec section 3.
std::vector<Vector> amf3_vectors() {
    return {
        {"00", {}},
        {"01", AmfNull{}},
        {"02", false},
        {"03", true},
        {"0400", 0.0},
        {"047f", 127.0},
        {"048100", 128.0},
        {"04bfffffff", 268435455.0},
        {"04ffffffff", -1.0},
        {"04c0808000", -268435456.0},
        {"053ff8000000000000", 1.5},
        {"0607616263", "abc"},
        {"0601", ""},
        {"0901 03 61 03 01", AmfObject{.properties = {{"a", true}}, .is_ecma_array = true}},
        {"0905 01 02 03", AmfArray{{false, true}}},
        {"0a0b 01 03 61 0401 01", object({{"a", 1.0}})},
        {"0b07 3c612f", AmfValue::Storage(AmfXml{"<a/"})},
        {"0c05 0102", AmfValue::Storage(AmfByteArray{{1, 2}})},
        {"0801 4270000000000000", AmfValue::Storage(AmfDate{0x1.0p40})},
    };
}

std::string compact(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c != ' ') out.push_back(c);
    }
    return out;
}

void check_vectors(const std::vector<Vector>& vectors, Version version) {
    for (const Vector& v : vectors) {
        const Bytes bytes = hex(compact(v.bytes));
        const auto values = parse_amf(bytes, version);
        ASSERT_TRUE(values) << v.bytes;
        ASSERT_EQ(values->size(), 1u) << v.bytes;
        EXPECT_EQ((*values)[0], v.value) << v.bytes;
        Bytes written;
        if (version == Version::kAmf0) {
            write_amf0(written, v.value);
        } else {
            write_amf3(written, v.value);
        }
        EXPECT_EQ(hex_encode(written), compact(v.bytes));
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            EXPECT_FALSE(parse_amf(ByteView(bytes).first(size), version))
                << v.bytes << " cut at " << size;
        }
    }
}

TEST(Amf, Amf0VectorsBothWaysAndCut) { check_vectors(amf0_vectors(), Version::kAmf0); }
TEST(Amf, Amf3VectorsBothWaysAndCut) { check_vectors(amf3_vectors(), Version::kAmf3); }

AmfValue random_value(Rng& rng, int depth, Version version) {
    const auto text = [&] {
        std::string s(rng.below(12), ' ');
        for (char& c : s) c = static_cast<char>(rng.next_u32());
        return s;
    };
    const std::uint64_t kinds = depth == 0 ? 6 : 9;
    switch (rng.below(kinds)) {
        case 0:
            return {};
        case 1:
            return AmfNull{};
        case 2:
            return rng.chance(0.5);
        case 3:
            return static_cast<double>(static_cast<std::int64_t>(rng.next_u64() >> rng.below(60))) /
                   2;
        case 4:
            return text();
        case 5:
            return AmfValue::Storage(AmfDate{static_cast<double>(rng.below(1ull << 41))});
        case 6: {
            AmfArray array;
            for (std::uint64_t n = rng.below(5); n != 0; --n)
                array.items.push_back(random_value(rng, depth - 1, version));
            return array;
        }
        default: {
            AmfObject o;
            o.is_ecma_array = rng.chance(0.3);
            // AMF3 has no class name on an array, and cannot tell an empty array from an empty ECMA
            // array.
            if (!o.is_ecma_array && rng.chance(0.2)) o.class_name = "C" + text();
            for (std::uint64_t n = rng.below(5) + (o.is_ecma_array ? 1 : 0); n != 0; --n) {
                o.add("p" + text(), random_value(rng, depth - 1, version));
            }
            return o;
        }
    }
}

TEST(Amf, ReadsWhatItWrites) {
    Rng rng(3);
    for (const Version version : {Version::kAmf0, Version::kAmf3}) {
        for (int i = 0; i < 3000; ++i) {
            const AmfValue value = random_value(rng, 4, version);
            Bytes bytes;
            if (version == Version::kAmf0) {
                write_amf0(bytes, value);
            } else {
                write_amf3(bytes, value);
            }
            const auto again =
                parse_amf(bytes,
                          version,
                          {.max_depth = 16, .max_values = 100'000, .max_text_bytes = 1 << 20});
            ASSERT_TRUE(again) << hex_encode(bytes);
            ASSERT_EQ(again->size(), 1u);
            ASSERT_EQ((*again)[0], value) << hex_encode(bytes);
        }
    }
}

TEST(Amf, Amf3ReferencesAndTraits) {
    // Two objects of class C with the sealed member "a": traits and the string "x" by reference in
    // the second.
    const Bytes bytes =
        hex(compact("0905 01"
                    "0a13 0343 0361 0603 78"
                    "0a01 0604"));
    const auto values = parse_amf(bytes, Version::kAmf3);
    ASSERT_TRUE(values);
    const AmfObject c{.properties = {{"a", "x"}}, .class_name = "C"};
    EXPECT_EQ((*values)[0], AmfValue(AmfArray{{c, c}}));

    // The same object twice.
    const auto twice = parse_amf(hex(compact("0905 01 0a0b01 0361 03 01 0a02")), Version::kAmf3);
    ASSERT_TRUE(twice);
    EXPECT_EQ((*twice)[0], AmfValue(AmfArray{{object({{"a", true}}), object({{"a", true}})}}));

    // ArrayCollection is a wrapped array.
    Bytes wrapped = hex("0a07");
    const std::string name = "flex.messaging.io.ArrayCollection";
    wrapped.push_back(static_cast<std::uint8_t>(name.size() << 1 | 1));
    wrapped.insert(wrapped.end(), name.begin(), name.end());
    for (const std::uint8_t b : hex("09030103")) wrapped.push_back(b);
    const auto collection = parse_amf(wrapped, Version::kAmf3);
    ASSERT_TRUE(collection);
    EXPECT_EQ((*collection)[0], AmfValue(AmfArray{{true}}));
}

TEST(Amf, Amf3InsideAmf0) {
    const auto values = parse_amf(hex(compact("02000161 11 0401 0101")));
    ASSERT_TRUE(values);
    EXPECT_EQ(*values, (std::vector<AmfValue>{"a", 1.0, true}));
}

TEST(Amf, Lies) {
    struct Lie {
        const char* what;
        const char* bytes;
        Version version;
        Errc code;
    };
    const Lie lies[] = {
        {"string longer than the message", "02ffff61", Version::kAmf0, Errc::kTruncated},
        {"long string of 4 GiB", "0cffffffff61", Version::kAmf0, Errc::kTruncated},
        {"strict array of 4 G items", "0affffffff05", Version::kAmf0, Errc::kTruncated},
        {"object without end", "030001610500", Version::kAmf0, Errc::kTruncated},
        {"end mark alone", "09", Version::kAmf0, Errc::kMalformed},
        {"marker that does not exist", "2a", Version::kAmf0, Errc::kMalformed},
        {"reference", "070000", Version::kAmf0, Errc::kUnsupported},
        {"AMF3 string longer than the message", "06ffffffff", Version::kAmf3, Errc::kTruncated},
        {"AMF3 string reference to nothing", "0602", Version::kAmf3, Errc::kMalformed},
        {"AMF3 object reference to nothing", "0a02", Version::kAmf3, Errc::kMalformed},
        {"AMF3 object that holds itself", "0903010900", Version::kAmf3, Errc::kMalformed},
        {"AMF3 traits reference to nothing", "0a05", Version::kAmf3, Errc::kMalformed},
        {"AMF3 array of 2^28 items", "09ffffffff01", Version::kAmf3, Errc::kTruncated},
        {"AMF3 object with 2^25 members", "0affffff7301", Version::kAmf3, Errc::kTooLarge},
        {"AMF3 foreign externalizable", "0a070343", Version::kAmf3, Errc::kUnsupported},
        {"AMF3 dictionary", "110100", Version::kAmf3, Errc::kUnsupported},
        {"AMF3 marker that does not exist", "12", Version::kAmf3, Errc::kMalformed},
    };
    for (const Lie& lie : lies) {
        const auto values = parse_amf(hex(lie.bytes), lie.version);
        ASSERT_FALSE(values) << lie.what;
        EXPECT_EQ(values.error().code, lie.code) << lie.what << ": " << values.error().what;
    }
}

TEST(Amf, DepthValuesAndTextAreBounded) {
    const AmfLimits limits{.max_depth = 4, .max_values = 20, .max_text_bytes = 20};
    const auto code = [&](const AmfValue& value, Version version) {
        Bytes bytes;
        if (version == Version::kAmf0) {
            write_amf0(bytes, value);
        } else {
            write_amf3(bytes, value);
        }
        const auto values = parse_amf(bytes, version, limits);
        return values ? std::optional<Errc>() : std::optional(values.error().code);
    };
    for (const Version version : {Version::kAmf0, Version::kAmf3}) {
        AmfValue nested = true;
        for (int i = 0; i < 3; ++i) nested = AmfArray{{nested}};
        EXPECT_EQ(code(nested, version), std::nullopt);
        nested = AmfArray{{nested}};
        EXPECT_EQ(code(nested, version), Errc::kTooLarge);
        EXPECT_EQ(code(AmfArray{std::vector<AmfValue>(4, true)}, version), std::nullopt);
        EXPECT_EQ(code(AmfArray{std::vector<AmfValue>(21, true)}, version), Errc::kTooLarge);
        EXPECT_EQ(code(std::string(20, 'x'), version), std::nullopt);
        EXPECT_EQ(code(std::string(21, 'x'), version), Errc::kTooLarge);
    }
}

/// References that double at each level would make 2^30 values of 200 bytes.
TEST(Amf, ReferencesDoNotMultiply) {
    Bytes bytes = hex("093d01");  // an array of 30
    for (std::uint8_t i = 0; i < 30; ++i) {
        if (i == 0) {
            bytes.insert(bytes.end(), {0x09, 0x05, 0x01, 0x03, 0x03});
        } else {
            bytes.insert(bytes.end(),
                         {0x09,
                          0x05,
                          0x01,
                          0x09,
                          static_cast<std::uint8_t>(i << 1),
                          0x09,
                          static_cast<std::uint8_t>(i << 1)});
        }
    }
    const auto values = parse_amf(bytes, Version::kAmf3);
    ASSERT_FALSE(values);
    EXPECT_EQ(values.error().code, Errc::kTooLarge);
}

}  // namespace
}  // namespace parley::flv
