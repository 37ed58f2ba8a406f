#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace parley::signalling {

/// Boost.JSON has a string view of its own.
inline boost::json::string_view to_json_view(std::string_view text) {
    return {text.data(), text.size()};
}

/// `name=json-object`, one text frame (protocol section 2.1).
struct Envelope {
    std::string_view name;  ///< borrowed from the text
    boost::json::object body;
};

inline constexpr std::size_t kMaxNameLength = 64;

/// The name ends at the first `=` and is 1 to 64 characters of [A-Za-z0-9_-]; the rest is one JSON
/// object nested at most `max_depth` deep. kMalformed otherwise.
Result<Envelope> parse_envelope(std::string_view text, std::size_t max_depth);
std::string write_envelope(std::string_view name, const boost::json::object& body);

}  // namespace parley::signalling
