#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/rng.h"

/// Requests and responses as plain values, and how to read their parts.
namespace parley::rest {

using Header = std::pair<std::string, std::string>;

struct HttpRequest {
    std::string method;
    std::string target;  ///< as received: path and query, not decoded
    std::vector<Header> headers;
    std::string body;
    std::string peer;  ///< address of the other end, without its port
    bool tls = false;
    std::string host;  ///< Host header as received

    /// The first header of this name (any case); empty when absent.
    [[nodiscard]] std::string_view header(std::string_view name) const;
};

struct HttpResponse {
    unsigned status = 200;  ///< 100 to 999: the API uses 6xx
    std::vector<Header> headers;
    std::string body;
    /// Set: the answer needs something that takes time; everything else here means nothing. To be
    /// called once; what it is given is called once, on the same thread, with the answer.
    std::function<void(std::function<void(HttpResponse)>)> later;

    [[nodiscard]] std::string_view header(std::string_view name) const;
    /// Replaces or adds.
    void set_header(std::string_view name, std::string value);
};

/// Bounds of a request target; beyond them it is kTooLarge.
inline constexpr std::size_t kMaxTargetBytes = 16 * 1024;
inline constexpr std::size_t kMaxPathSegments = 16;
inline constexpr std::size_t kMaxQueryParameters = 64;

struct QueryParameter {
    std::string name;
    std::string value;
    friend bool operator==(const QueryParameter&, const QueryParameter&) = default;
};
/// A request target taken apart. `+` stays `+` (signalling clients put raw Base64 into queries) and
/// parameters that come twice are all kept, in order.
struct Target {
    std::string raw_path;           ///< without the query
    std::string raw_query;          ///< without `?`
    std::vector<std::string> path;  ///< decoded segments; "/" has none
    std::vector<QueryParameter> query;

    /// The first parameter of this name; empty when absent.
    [[nodiscard]] std::string_view parameter(std::string_view name) const;
};
/// Origin form (RFC 9112 section 3.2.1); of an absolute form the origin is dropped. kMalformed: a
/// bad escape, an empty segment inside the path, `.` or `..`, a control character, or a segment
/// that is still escaped after decoding (encoded twice).
Result<Target> parse_target(std::string_view target);

/// A JSON body with its Content-Type.
HttpResponse json_response(unsigned status, std::string body);
/// `{"error":"..."}` (REST section 1).
HttpResponse error_response(unsigned status, std::string_view text);
/// Lets any origin read the response (REST section 13).
void add_cors(HttpResponse& response);
/// Adds X-Reqid, which every answer of the API has.
void add_request_id(HttpResponse& response, Rng& rng);

/// The token of `Authorization: Bearer ...` (RFC 6750 section 2.1); nullopt when there is none.
std::optional<std::string_view> bearer_token(const HttpRequest& request);

/// The media type of a Content-Type value in lower case, without its parameters.
std::string media_type(std::string_view content_type);

}  // namespace parley::rest
