#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "rest/estate.h"
#include "rest/http.h"
#include "rest/signed_calls.h"

namespace parley::rest {

/// Most v2 rooms of one account.
inline constexpr std::size_t kMaxV2Rooms = 100'000;

/// Rooms of v1 and v2 have one name space for each account; it is this app's, whose id no created
/// app can have.
std::string v2_app_id(std::int64_t account);
bool is_v2_app_id(std::string_view app_id);

/// The room calls before there were apps (REST section 15). The app is made with the first room;
/// from then on it is an app like others, so that events, history and settings of these rooms are
/// where those of all rooms are.
class V2Rooms {
public:
    /// `estate` must outlive it.
    V2Rooms(Estate& estate, Rng rng) : estate_(estate), rng_(rng) {}

    [[nodiscard]] std::vector<SignedRoute> routes();

private:
    using Call = SignedCall;

    HttpResponse create(Call& call);
    HttpResponse get(Call& call);
    HttpResponse remove(Call& call);
    HttpResponse list_users(Call& call);
    HttpResponse kick_user(Call& call);
    [[nodiscard]] std::string fresh_name(const std::string& app_id);

    Estate& estate_;
    Rng rng_;
};

}  // namespace parley::rest
