#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rest/http.h"

/// Bodies of management calls, as the official server SDKs write them (REST section 16.2).
namespace parley::rest {

inline constexpr std::size_t kMaxBodyDepth = 16;
inline constexpr std::size_t kMaxBodyKeys = 1'000;

/// The body's fields: JSON, or a form when the Content-Type says so and the text is no JSON object.
/// A field that is `null` is left out, also inside; form values are texts. An empty body has no
/// fields. kMalformed, kTooLarge (depth, number of keys).
Result<boost::json::object> parse_body(const HttpRequest& request);

/// One field in the types that SDKs send it in; nullopt when it is absent, kMalformed when it is
/// there and is something else. Numbers may be texts of digits, flags may be True, true and 1.
Result<std::optional<std::string>> text_field(const boost::json::object& body,
                                              std::string_view name);
/// The same for what was checked before: empty when it is absent or no text.
std::string text_or_empty(const boost::json::object& body, std::string_view name);
Result<std::optional<std::int64_t>> number_field(const boost::json::object& body,
                                                 std::string_view name);
Result<std::optional<bool>> flag_field(const boost::json::object& body, std::string_view name);

}  // namespace parley::rest
