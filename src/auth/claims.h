#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

/// JSON claims inside tokens, and the signed envelope of the tokens that only this server reads.
namespace parley::auth {

/// One JSON object, not deeply nested; anything else is kMalformed.
Result<boost::json::object> parse_object(std::string_view text);
/// Empty when the claim is absent or no string.
std::string text_claim(const boost::json::object& claims, std::string_view name);
/// Whole numbers only, also when they are written as a fraction (1.7e9).
std::optional<std::int64_t> number_claim(const boost::json::object& claims, std::string_view name);
/// The end of time where nanoseconds overflow.
WallTime wall_from_seconds(std::int64_t seconds);

/// `header.payload.signature` (RFC 7519, HS256). The payload's Base64 has none of `+ / - _ =`:
/// browsers read it with `atob`, which knows only the standard alphabet, and it must be URL-safe.
std::string sign_claims(std::string_view key, const boost::json::object& claims);
/// The claims when the signature is ours. Says nothing of `exp`.
Result<boost::json::object> open_claims(std::string_view key, std::string_view token);

}  // namespace parley::auth
