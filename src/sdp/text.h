#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

/// Small helpers over borrowed text that the readers of this folder share.
namespace parley::sdp {

/// The whole text as a decimal number, or nothing.
template <std::unsigned_integral T>
std::optional<T> parse_number(std::string_view text) {
    T value = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || at != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

inline std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Takes what stands before `separator` off the front of `text`; all of it when there is none.
inline std::string_view take_until(std::string_view& text, char separator) {
    const std::size_t at = text.find(separator);
    const std::string_view head = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    return head;
}

/// The next word; words are separated by one or more spaces or tabs.
inline std::string_view take_word(std::string_view& text) {
    text = trim(text);
    const std::size_t at = text.find_first_of(" \t");
    const std::string_view word = text.substr(0, at);
    text.remove_prefix(word.size());
    return word;
}

/// Takes one line, without its LF or CRLF.
inline std::string_view take_line(std::string_view& text) {
    std::string_view line = take_until(text, '\n');
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
}

inline char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (to_lower(a[i]) != to_lower(b[i])) return false;
    }
    return true;
}

/// RFC 8851 section 10: rid-id.
inline bool is_rid_id(std::string_view text) {
    const auto allowed = [](char c) {
        const char low = to_lower(c);
        return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

inline bool has_control_character(std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && c != '\t') || byte == 0x7f) return true;
    }
    return false;
}

}  // namespace parley::sdp
