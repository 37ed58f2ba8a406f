#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "rest/estate.h"
#include "rest/http.h"
#include "rest/room_control.h"
#include "rest/signed_calls.h"

namespace parley::rest {

/// Parley's own calls, `/x1/`: openapi.json says what they take and answer. Rooms and members are
/// here (x1_rooms.cc), accounts, apps, jobs and the node in x1_account.cc.
class X1 {
public:
    /// All must outlive it.
    X1(Estate& estate, RoomControl& rooms, SecretSource& secrets, Rng rng)
        : estate_(estate), rooms_(rooms), secrets_(secrets), rng_(rng) {}

    [[nodiscard]] std::vector<SignedRoute> routes();

private:
    using Call = SignedCall;
    [[nodiscard]] std::vector<SignedRoute> room_routes();

    HttpResponse get_account(Call& call);
    HttpResponse create_key(Call& call);
    HttpResponse update_key(Call& call);
    HttpResponse delete_key(Call& call);
    HttpResponse list_apps(Call& call);
    HttpResponse list_jobs(Call& call);
    HttpResponse list_recordings(Call& call);
    HttpResponse get_node(Call& call);
    /// The account's key that the path names.
    [[nodiscard]] std::optional<KeyInfo> key_of_path(const Call& call) const;

    HttpResponse list_rooms(Call& call);
    HttpResponse create_room(Call& call);
    HttpResponse get_room(Call& call);
    HttpResponse update_room(Call& call);
    HttpResponse close_room(Call& call);
    HttpResponse mute_room(Call& call);
    HttpResponse send_message(Call& call);
    HttpResponse create_token(Call& call);
    HttpResponse list_members(Call& call);
    HttpResponse get_member(Call& call);
    HttpResponse update_member(Call& call);
    HttpResponse kick_member(Call& call);
    HttpResponse mute_member(Call& call);
    HttpResponse list_bans(Call& call);
    HttpResponse ban(Call& call);
    HttpResponse unban(Call& call);

    /// The room's entry in a list; also of one that does not live.
    HttpResponse summary(const room::RoomKey& room);

    Estate& estate_;
    RoomControl& rooms_;
    SecretSource& secrets_;
    Rng rng_;
};

/// One page of a list that is asked for by the last entry of the page before.
struct PageRequest {
    std::string_view cursor;
    std::size_t limit = 0;
};
/// nullopt, and `wrong` says which parameter: a limit that is no number from 1 on.
std::optional<PageRequest> read_page(const Target& target, std::string& wrong);

}  // namespace parley::rest
