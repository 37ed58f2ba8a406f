#include "rest/time_range.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "auth/qiniu_signature.h"

namespace parley::rest {
namespace {

constexpr std::int64_t kLastSecond = 7'258'118'400;  ///< the end of 2199
constexpr std::size_t kDateTimeBytes = 19;           ///< "2026-11-25T16:04:22"
constexpr std::size_t kMaxFractionDigits = 9;

template <class T>
std::optional<T> parse_digits(std::string_view text) {
    T value{};
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool fine = error == std::errc() && at == text.data() + text.size() && value >= 0;
    return fine ? std::optional(value) : std::nullopt;
}

/// "Z", "z", "+08:00", "-05:30".
std::optional<Duration> parse_offset(std::string_view text) {
    if (text == "Z" || text == "z") return Duration{};
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') {
        return std::nullopt;
    }
    const auto hours = parse_digits<int>(text.substr(1, 2));
    const auto minutes = parse_digits<int>(text.substr(4, 2));
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    const Duration offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
    return text[0] == '-' ? -offset : offset;
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
    if (text.size() <= kDateTimeBytes) return std::nullopt;
    const std::string_view head = text.substr(0, kDateTimeBytes);
    std::string compact;
    for (std::size_t i = 0; i < head.size(); ++i) {
        const bool is_dash = i == 4 || i == 7;
        const bool is_colon = i == 13 || i == 16;
        if ((is_dash && head[i] != '-') || (is_colon && head[i] != ':')) return std::nullopt;
        if (!is_dash && !is_colon) compact += head[i] == 't' ? 'T' : head[i];
    }
    const std::optional<WallTime> whole = auth::parse_signature_date(compact + 'Z');
    if (!whole) return std::nullopt;
    text.remove_prefix(kDateTimeBytes);
    std::int64_t nanoseconds = 0;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
        if (digits == 0) return std::nullopt;
        std::string fraction(text.substr(0, std::min(digits, kMaxFractionDigits)));
        fraction.resize(kMaxFractionDigits, '0');
        nanoseconds = *parse_digits<std::int64_t>(fraction);
        text.remove_prefix(digits);
    }
    const std::optional<Duration> offset = parse_offset(text);
    if (!offset) return std::nullopt;
    return *whole + Duration(nanoseconds) - *offset;
}

}  // namespace

std::optional<WallTime> parse_time(std::string_view text) {
    if (const auto seconds = parse_digits<std::int64_t>(text)) {
        if (*seconds >= kLastSecond) return std::nullopt;
        return WallTime(std::chrono::seconds(*seconds));
    }
    return parse_rfc3339(text);
}

std::optional<TimeRange> read_time_range(const Target& target, std::string& wrong) {
    TimeRange range;
    for (const auto& [name, end] : {std::pair("from", &range.from), {"to", &range.to}}) {
        const std::string_view text = target.parameter(name);
        if (text.empty()) continue;
        const auto time = parse_time(text);
        if (!time) {
            wrong = name;
            return std::nullopt;
        }
        *end = *time;
    }
    if (range.to >= range.from) return range;
    wrong = "to";
    return std::nullopt;
}

}  // namespace parley::rest
