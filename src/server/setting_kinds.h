#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "gate/url_gate.h"
#include "server/settings.h"

/// Makers of the rows of the table in settings.cc, one for each kind of value.
///
/// Each makes the two functions of a row from the place where the value goes: a function that
/// returns a reference into a Config, const or not.
namespace parley::server::setting_kinds {

using Problem = std::optional<std::string>;

/// What a row of any kind says of itself.
struct Row {
    std::string_view name;
    std::string_view fallback;
    std::string_view help;
};

template <class Apply, class Show>
Setting make(const Row& row, SettingKind kind, Apply apply, Show show) {
    return {row.name, kind, row.fallback, row.help, false, std::move(apply), std::move(show)};
}

template <class Place>
Setting text(const Row& row, Place place) {
    return make(
        row,
        SettingKind::kText,
        [place](Config& config, std::string_view value) -> Problem {
            place(config) = value;
            return {};
        },
        [place](const Config& config) { return std::string(place(config)); });
}

template <class Place>
Setting secret(const Row& row, Place place) {
    Setting out = text(row, place);
    out.secret = true;
    return out;
}

/// A scheme and a host, without a path.
template <class Place>
Setting origin(const Row& row, Place place) {
    Setting out = text(row, place);
    out.apply = [place](Config& config, std::string_view value) -> Problem {
        const std::size_t scheme = value.find("://");
        const bool known = value.substr(0, scheme) == "https" || value.substr(0, scheme) == "http";
        const bool bare = scheme != std::string_view::npos && value.size() > scheme + 3 &&
                          value.find_first_of("/?# \"\\", scheme + 3) == std::string_view::npos;
        if (!value.empty() && (!known || !bare)) {
            return "must be https://host or http://host, with nothing behind";
        }
        place(config) = value;
        return {};
    };
    return out;
}

template <class Place>
Setting choice(const Row& row, const std::vector<std::string_view>& allowed, Place place) {
    Setting out = text(row, place);
    out.apply = [place, allowed](Config& config, std::string_view value) -> Problem {
        if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
            return fmt::format("must be one of {}", fmt::join(allowed, ", "));
        }
        place(config) = value;
        return {};
    };
    return out;
}

template <class Place>
Setting level(const Row& row, Place place) {
    return make(
        row,
        SettingKind::kText,
        [place](Config& config, std::string_view value) -> Problem {
            constexpr std::array kAll = {LogLevel::kDebug,
                                         LogLevel::kInfo,
                                         LogLevel::kWarn,
                                         LogLevel::kError,
                                         LogLevel::kOff};
            std::vector<std::string_view> allowed;
            for (const LogLevel candidate : kAll) {
                allowed.push_back(to_string(candidate));
                if (allowed.back() != value) continue;
                place(config) = candidate;
                return {};
            }
            return fmt::format("must be one of {}", fmt::join(allowed, ", "));
        },
        [place](const Config& config) { return std::string(to_string(place(config))); });
}

struct Range {
    std::uint64_t low;
    std::uint64_t high;
};

inline std::optional<std::uint64_t> parse_number(std::string_view text, Range range) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return {};
    if (value < range.low || value > range.high) return {};
    return value;
}

/// A whole number of `Unit`s, which is a type of std::chrono or std::int64_t.
template <class Unit, class Place>
Setting amount(const Row& row, Range range, Place place) {
    return make(
        row,
        SettingKind::kNumber,
        [=](Config& config, std::string_view value) -> Problem {
            const auto number = parse_number(value, range);
            if (!number)
                return fmt::format("must be a number from {} to {}", range.low, range.high);
            auto& field = place(config);
            field = static_cast<std::remove_reference_t<decltype(field)>>(
                Unit(static_cast<std::int64_t>(*number)));
            return {};
        },
        [=](const Config& config) {
            if constexpr (std::is_integral_v<Unit>) {
                return fmt::to_string(place(config));
            } else {
                return fmt::to_string(std::chrono::duration_cast<Unit>(place(config)).count());
            }
        });
}

template <class Place>
Setting number(const Row& row, Range range, Place place) {
    return amount<std::int64_t>(row, range, place);
}

template <class Place>
Setting seconds(const Row& row, Range range, Place place) {
    return amount<std::chrono::seconds>(row, range, place);
}

template <class Place>
Setting days(const Row& row, Range range, Place place) {
    return amount<std::chrono::days>(row, range, place);
}

template <class Place>
Setting flag(const Row& row, Place place) {
    return make(
        row,
        SettingKind::kFlag,
        [place](Config& config, std::string_view value) -> Problem {
            const bool yes = value == "true" || value == "1";
            if (!yes && value != "false" && value != "0") return "must be true or false";
            place(config) = yes;
            return {};
        },
        [place](const Config& config) { return std::string(place(config) ? "true" : "false"); });
}

/// Texts with commas between them, without the spaces around each.
inline std::vector<std::string_view> split_list(std::string_view value) {
    std::vector<std::string_view> out;
    while (!value.empty()) {
        const std::size_t comma = std::min(value.find(','), value.size());
        std::string_view one = value.substr(0, comma);
        value.remove_prefix(std::min(comma + 1, value.size()));
        while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
        while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
        out.push_back(one);
    }
    return out;
}

struct ListRules {
    std::size_t most;
    std::string_view entries;  ///< what they are called
    std::string_view refusal;  ///< what is said of a text that is none
};

/// `parse` gives what a text stands for, or nothing; `print` gives the text.
template <class Place, class Parse, class Print>
Setting list(const Row& row, ListRules rules, Place place, Parse parse, Print print) {
    return make(
        row,
        SettingKind::kList,
        [=](Config& config, std::string_view value) -> Problem {
            std::remove_reference_t<decltype(place(config))> out;
            for (const std::string_view one : split_list(value)) {
                auto entry = parse(one);
                if (!entry) return fmt::format("\"{}\" is {}", one, rules.refusal);
                out.push_back(*std::move(entry));
            }
            if (out.size() > rules.most)
                return fmt::format("at most {} {}", rules.most, rules.entries);
            place(config) = std::move(out);
            return {};
        },
        [=](const Config& config) {
            std::vector<std::string> texts;
            for (const auto& entry : place(config)) texts.push_back(print(entry));
            return fmt::format("{}", fmt::join(texts, ","));
        });
}

template <class Place>
Setting addresses(const Row& row, Place place) {
    return list(
        row,
        {.most = 32, .entries = "addresses", .refusal = "not an IP address"},
        place,
        [](std::string_view one) { return IpAddress::parse(one); },
        [](const IpAddress& address) { return address.to_string(); });
}

/// Networks and hosts, as the gate of outgoing connections reads them.
template <class Place>
Setting allow_list(const Row& row, Place place) {
    return list(
        row,
        {.most = 256, .entries = "entries", .refusal = "neither a network nor a host name"},
        place,
        [](std::string_view one) {
            std::optional<std::string> entry(one);
            if (!gate::parse_allow_list({*entry})) entry.reset();
            return entry;
        },
        [](const std::string& entry) { return entry; });
}

}  // namespace parley::server::setting_kinds
