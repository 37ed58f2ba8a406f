#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/room_token.h"
#include "base/result.h"
#include "base/time.h"

/// `Authorization: Qiniu <AccessKey>:<Sign>` of the management API (REST section 2).
namespace parley::auth {

/// The parts of a request that are signed, as received. Borrowed for one call.
struct SignedRequestView {
    std::string_view method;
    std::string_view path;          ///< raw, without the query
    std::string_view query;         ///< raw, without `?`
    std::string_view host;          ///< value of the Host header
    std::string_view content_type;  ///< empty: none
    std::vector<std::pair<std::string_view, std::string_view>>
        headers;  ///< all; X-Qiniu-* are picked
    std::string_view body;
};

inline constexpr Duration kMaxSignatureAge = 15min;

/// What a request must prove besides its signature.
struct SignatureRules {
    Duration max_age = kMaxSignatureAge;  ///< that X-Qiniu-Date may be off, either way
    bool needs_date = false;              ///< published SDKs may leave it out
};

/// Steps 1 to 7 of section 2.1.
std::string string_to_sign(const SignedRequestView& request);
/// The value of the Authorization header.
std::string sign_request(const AccountKey& key, const SignedRequestView& request);
/// The access key of the account that signed. kMalformed: no `Qiniu` authorization; kNotFound:
/// unknown key; kBadIntegrity; kExpired: X-Qiniu-Date is further off than the rules allow, or missing
/// though they want it. All of them are 401, and unknown keys take as long as known ones.
Result<std::string> verify_request(const SignedRequestView& request,
                                   std::string_view authorization,
                                   const KeyLookup& keys,
                                   WallTime now,
                                   const SignatureRules& rules = {});
/// `YYYYMMDDTHHMMSSZ` (UTC), the form of X-Qiniu-Date.
std::optional<WallTime> parse_signature_date(std::string_view text);

}  // namespace parley::auth
