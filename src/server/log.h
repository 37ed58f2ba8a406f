#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "server/config.h"

namespace parley::server {

/// An address, token or user id on its way into a log: prints a short hash, the same for the same value
/// while the process lives, so that lines can be followed but not read back.
template <class T>
struct Private {
    explicit Private(const T& v) : value(v) {}
    const T& value;
};

std::string hash_for_log(std::string_view text);

struct LogField {
    LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
    LogField(std::string_view n, const char* v) : name(n), value(v) {}
    LogField(std::string_view n, const std::string& v) : name(n), value(v) {}
    template <std::integral T>
    LogField(std::string_view n, T v) : name(n), value(std::to_string(v)) {}
    template <class T>
    LogField(std::string_view n, const Private<T>& v) : name(n), value(hash_for_log(v.value)) {}

    std::string_view name;
    std::string value;
};

void set_log_level(LogLevel level);

/// One line to standard error: time, level, event and fields as key=value. Values with spaces or quotes are
/// quoted and control characters escaped, so that no peer can forge a line. Thread-safe.
void write_log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

inline void log_debug(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write_log(LogLevel::kDebug, event, fields);
}
inline void log_info(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write_log(LogLevel::kInfo, event, fields);
}
inline void log_warn(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write_log(LogLevel::kWarn, event, fields);
}
inline void log_error(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write_log(LogLevel::kError, event, fields);
}

/// `name=value` with the value quoted where needed; what a line is made of.
std::string format_log_fields(std::string_view event, std::initializer_list<LogField> fields);

}  // namespace parley::server
