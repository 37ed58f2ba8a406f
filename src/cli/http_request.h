#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace parley::cli {

struct HttpRequest {
    std::string method;
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::string
        ca_file;  ///< certificates to trust besides the system's choice; empty: the system's
};
struct HttpAnswer {
    long status = 0;
    std::string body;
};

/// What of a URL a request is signed over and sent to; the reason when it is no http or https
/// origin.
struct Origin {
    std::string base;  ///< without a slash at the end
    std::string host;  ///< value of the Host header: with the port, unless it is the scheme's own
};
tl::expected<Origin, std::string> parse_origin(const std::string& url);

/// Blocks. One line when there was no answer; redirects are not followed, since they are not
/// signed.
tl::expected<HttpAnswer, std::string> send_http(const HttpRequest& request);

}  // namespace parley::cli
