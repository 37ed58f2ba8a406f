#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/qiniu_signature.h"
#include "base/time.h"
#include "rest/estate.h"
#include "rest/http.h"
#include "rest/replay_guard.h"
#include "rest/route.h"

namespace parley::rest {

/// One call of an app server, its signature and its path checked.
struct SignedCall {
    Instant now;
    WallTime wall;
    const Target& target;
    std::vector<std::string_view> arguments;  ///< what the `*` of the route stood for
    std::string access_key;                   ///< that signed it
    std::int64_t account = 0;
    boost::json::object body;
    const AppRecord* app = nullptr;  ///< of the path; checked to be the account's

    [[nodiscard]] room::RoomKey room() const {
        return {std::string(arguments[0]), std::string(arguments[1])};
    }
};

/// What signed calls must have, beyond what the published SDKs send.
struct SignedCallRules {
    auth::SignatureRules signature;
    bool needs_nonce = false;  ///< of `/x1/` calls: each is taken once
    bool trust_proxy = false;  ///< failures are counted for the last address of X-Forwarded-For
};

/// What a path names, and so what is checked before the call is carried out.
enum class Scope : std::uint8_t {
    kAccount,
    kApp,   ///< the first argument is an app of the account
    kRoom,  ///< the second is a room name, besides
    kUser,  ///< the third is a user id, besides
    kJob,   ///< as kRoom; bad bodies have another text (REST section 4)
};

struct SignedRoute {
    Route route;
    Scope scope;
    std::function<HttpResponse(SignedCall&)> answer;
};

/// Failed authentications of one address: some are a mistake, thousands are an attack.
class FailureLimit {
public:
    static constexpr double kPerSecond = 10;
    static constexpr double kBurst = 1'000;
    static constexpr std::size_t kMaxAddresses =
        10'000;  ///< beyond: the least suspicious are forgotten

    [[nodiscard]] bool is_blocked(Instant now, const std::string& address) const;
    void count_failure(Instant now, const std::string& address);
    [[nodiscard]] std::size_t size() const { return buckets_.size(); }

private:
    struct Bucket {
        double failures = 0;
        Instant at;
    };
    static double left(const Bucket& bucket, Instant now);
    std::map<std::string, Bucket, std::less<>> buckets_;
};

struct SignedCallStats {
    std::uint64_t calls = 0;
    std::uint64_t refused = 0;  ///< authentication failed
    std::uint64_t blocked = 0;  ///< too many failures from one address
};

/// Everything signed with `Authorization: Qiniu` (REST section 2): finds the route, checks who
/// calls, whether the path is his, and the body; only then the call is carried out.
class SignedCalls {
public:
    /// `estate` must outlive it.
    SignedCalls(Estate& estate, const SignedCallRules& rules) : estate_(estate), rules_(rules) {}

    void add(std::vector<SignedRoute> routes);
    /// nullopt: no such path.
    std::optional<HttpResponse> handle(Instant now,
                                       WallTime wall,
                                       const HttpRequest& request,
                                       const Target& target);
    [[nodiscard]] const SignedCallStats& stats() const { return stats_; }
    [[nodiscard]] const std::vector<SignedRoute>& routes() const { return routes_; }

private:
    HttpResponse answer(const SignedRoute& route,
                        Instant now,
                        WallTime wall,
                        const HttpRequest& request,
                        const Target& target,
                        std::vector<std::string_view> arguments);

    /// nullopt: whoever sent it may go on, as this access key.
    std::optional<HttpResponse> authenticate(Instant now,
                                             WallTime wall,
                                             const HttpRequest& request,
                                             const Target& target,
                                             std::string& access_key);
    /// kSeen also when there is none though the rules want one, or it has no date or a wrong form.
    ReplayGuard::Verdict check_nonce(WallTime wall,
                                     const HttpRequest& request,
                                     bool is_own,
                                     std::string_view access_key);

    Estate& estate_;
    SignedCallRules rules_;
    ReplayGuard nonces_;
    std::vector<SignedRoute> routes_;
    FailureLimit failures_;
    SignedCallStats stats_;
};

}  // namespace parley::rest
