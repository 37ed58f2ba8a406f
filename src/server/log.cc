#include "server/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <algorithm>

#include "base/bytes.h"
#include "io/kernel_random.h"

namespace parley::server {
namespace {

constexpr std::size_t kMaxValue = 512;

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
        case LogLevel::kDebug: return spdlog::level::debug;
        case LogLevel::kInfo: return spdlog::level::info;
        case LogLevel::kWarn: return spdlog::level::warn;
        case LogLevel::kError: return spdlog::level::err;
        case LogLevel::kOff: return spdlog::level::off;
    }
    return spdlog::level::info;
}

spdlog::logger& logger() {
    static const std::shared_ptr<spdlog::logger> instance = [] {
        auto made = std::make_shared<spdlog::logger>("parley", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("time=%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
        made->flush_on(spdlog::level::info);
        return made;
    }();
    return *instance;
}

void append_value(std::string& out, std::string_view value) {
    value = value.substr(0, kMaxValue);
    const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte > 0x20 && byte != 0x7f && c != '"' && c != '=' && c != '\\';
    });
    if (plain) {
        out += value;
        return;
    }
    out += '"';
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    out += '"';
}

}  // namespace

std::string hash_for_log(std::string_view text) {
    if (text.empty()) return "-";
    // The salt keeps anybody from finding a value by hashing guesses.
    static const std::uint64_t salt = io::random_seed();
    std::uint64_t hash = 0xcbf29ce484222325 ^ salt;
    for (const std::uint8_t byte : as_bytes_view(text)) {
        hash ^= byte;
        hash *= 0x100000001b3;
    }
    hash ^= hash >> 29;
    hash *= 0xbf58476d1ce4e5b9;
    return fmt::format("#{:08x}", static_cast<std::uint32_t>(hash >> 32));
}

void set_log_level(LogLevel level) { logger().set_level(to_spdlog(level)); }

std::string format_log_fields(std::string_view event, std::initializer_list<LogField> fields) {
    std::string out = "event=";
    append_value(out, event);
    for (const LogField& field : fields) {
        out += ' ';
        out += field.name;
        out += '=';
        append_value(out, field.value);
    }
    return out;
}

void write_log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    const auto wanted = to_spdlog(level);
    if (!logger().should_log(wanted)) return;
    logger().log(wanted, spdlog::string_view_t(format_log_fields(event, fields)));
}

}  // namespace parley::server
