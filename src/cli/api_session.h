#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "auth/room_token.h"
#include "cli/http_request.h"
#include "server/config.h"

namespace parley::cli {

/// Exit codes of commands that ask a server, beside those of commands.h.
inline constexpr int kExitUnreachable = 3;
inline constexpr int kExitRefused = 4;  ///< the key, or too many failures
inline constexpr int kExitNotFound = 5;

/// Which server, as which account. Empty fields: the environment, then the settings file and the
/// data directory.
struct ApiOptions {
    std::string server;       ///< PARLEY_SERVER
    std::string credentials;  ///< PARLEY_CREDENTIALS: a file as account.json of the data directory
    std::string ca_file;      ///< PARLEY_CA_FILE
    bool json = false;
};

struct ApiFailure {
    int exit_code = 1;
    std::string text;  ///< one line, with what to do about it
};
template <class T>
using ApiResult = tl::expected<T, ApiFailure>;

class ApiSession {
public:
    static ApiResult<ApiSession> open(const ApiOptions& options,
                                      const server::ConfigSources& sources);

    /// The answer's object; every call is signed. `target` is the path with its query.
    [[nodiscard]] ApiResult<boost::json::object> call(const std::string& method,
                                                      const std::string& target,
                                                      const boost::json::object* body) const;
    /// The same for what is no JSON, and for bodies of the caller's own; checks nothing but the
    /// status.
    [[nodiscard]] ApiResult<std::string> call_text(const std::string& method,
                                                   const std::string& target,
                                                   const std::string& body) const;

private:
    Origin origin_;
    auth::AccountKey key_;
    std::string key_source_;  ///< for the person whose key is refused
    std::string ca_file_;
};

}  // namespace parley::cli
