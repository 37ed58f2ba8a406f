#include "base/encoding.h"

#include <array>

namespace parley {
namespace {

constexpr char kStandard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kUrlSafe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Of each character; -1: none of either alphabet.
constexpr std::array<int, 256> make_base64_values() {
    std::array<int, 256> table{};
    for (auto& v : table) v = -1;
    for (int i = 0; i < 64; ++i) {
        table[static_cast<std::uint8_t>(kStandard[i])] = i;
        table[static_cast<std::uint8_t>(kUrlSafe[i])] = i;
    }
    return table;
}
constexpr auto kBase64Values = make_base64_values();

constexpr std::array<std::uint32_t, 256> make_crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xedb88320U ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    return table;
}
constexpr auto kCrcTable = make_crc_table();

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string base64_encode(ByteView bytes, Base64Alphabet alphabet) {
    const char* digits = alphabet == Base64Alphabet::kStandard ? kStandard : kUrlSafe;
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t left = bytes.size() - i;
        const std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16 |
                                    (left > 1 ? static_cast<std::uint32_t>(bytes[i + 1]) << 8 : 0) |
                                    (left > 2 ? bytes[i + 2] : 0U);
        out.push_back(digits[group >> 18 & 63]);
        out.push_back(digits[group >> 12 & 63]);
        out.push_back(left > 1 ? digits[group >> 6 & 63] : '=');
        out.push_back(left > 2 ? digits[group & 63] : '=');
    }
    return out;
}

Result<Bytes> base64_decode(std::string_view text) {
    std::size_t padding = 0;
    while (!text.empty() && text.back() == '=') {
        text.remove_suffix(1);
        ++padding;
    }
    if (text.size() % 4 == 1 || padding > 2) return fail(Errc::kMalformed, "base64 length");
    if (padding > 0 && (text.size() + padding) % 4 != 0) {
        return fail(Errc::kMalformed, "base64 padding");
    }
    Bytes out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int count = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int value = kBase64Values[static_cast<std::uint8_t>(text[i])];
        if (value < 0) return fail(Errc::kMalformed, "base64 character", i);
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        if (++count == 4) {
            out.push_back(static_cast<std::uint8_t>(bits >> 16));
            out.push_back(static_cast<std::uint8_t>(bits >> 8));
            out.push_back(static_cast<std::uint8_t>(bits));
            bits = 0;
            count = 0;
        }
    }
    if (count == 2) out.push_back(static_cast<std::uint8_t>(bits >> 4));
    if (count == 3) {
        out.push_back(static_cast<std::uint8_t>(bits >> 10));
        out.push_back(static_cast<std::uint8_t>(bits >> 2));
    }
    return out;
}

std::string hex_encode(ByteView bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        out.push_back(kDigits[byte >> 4]);
        out.push_back(kDigits[byte & 15]);
    }
    return out;
}

Result<Bytes> hex_decode(std::string_view text) {
    if (text.size() % 2 != 0) return fail(Errc::kMalformed, "hex length");
    Bytes out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return fail(Errc::kMalformed, "hex digit", i);
        out.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
    return out;
}

std::uint32_t crc32(ByteView bytes) {
    std::uint32_t c = 0xffffffffU;
    for (const std::uint8_t byte : bytes) c = kCrcTable[(c ^ byte) & 0xff] ^ (c >> 8);
    return c ^ 0xffffffffU;
}

bool constant_time_equal(ByteView a, ByteView b) {
    if (a.size() != b.size()) return false;
    std::uint8_t difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<std::uint8_t>(a[i] ^ b[i]);
    return difference == 0;
}

Result<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out.push_back(text[i]);
            continue;
        }
        if (i + 2 >= text.size()) return fail(Errc::kMalformed, "percent escape", i);
        const int high = hex_value(text[i + 1]);
        const int low = hex_value(text[i + 2]);
        if (high < 0 || low < 0) return fail(Errc::kMalformed, "percent escape", i);
        out.push_back(static_cast<char>(high << 4 | low));
        i += 2;
    }
    return out;
}

std::string percent_encode(std::string_view text) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            out.push_back(c);
        } else {
            out.push_back('%');
            out.push_back(kDigits[static_cast<std::uint8_t>(c) >> 4]);
            out.push_back(kDigits[static_cast<std::uint8_t>(c) & 15]);
        }
    }
    return out;
}

bool is_utf8_text(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
        const unsigned char lead = byte(i);
        if (lead == 0) return false;
        if (lead < 0x80) {
            ++i;
            continue;
        }
        // RFC 3629 section 4: shortest form, no surrogates, at most U+10FFFF.
        std::size_t more = 0;
        unsigned char low = 0x80;
        unsigned char high = 0xbf;
        if (lead >= 0xc2 && lead <= 0xdf) {
            more = 1;
        } else if (lead >= 0xe0 && lead <= 0xef) {
            more = 2;
            if (lead == 0xe0) low = 0xa0;
            if (lead == 0xed) high = 0x9f;
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            more = 3;
            if (lead == 0xf0) low = 0x90;
            if (lead == 0xf4) high = 0x8f;
        } else {
            return false;
        }
        if (text.size() - i <= more) return false;
        if (byte(i + 1) < low || byte(i + 1) > high) return false;
        for (std::size_t k = 2; k <= more; ++k) {
            if ((byte(i + k) & 0xc0) != 0x80) return false;
        }
        i += more + 1;
    }
    return true;
}

}  // namespace parley
