#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "rest/estate.h"
#include "rest/http.h"
#include "rest/signed_calls.h"

namespace parley::rest {

/// The published calls of app servers (REST sections 5, 6 and 7).
class Management {
public:
    /// `estate` must outlive it.
    Management(Estate& estate, Rng rng) : estate_(estate), rng_(rng) {}

    [[nodiscard]] std::vector<SignedRoute> routes();

private:
    using Call = SignedCall;

    HttpResponse create_app(Call& call);
    HttpResponse list_apps(Call& call);
    HttpResponse get_app(Call& call);
    HttpResponse update_app(Call& call);
    HttpResponse delete_app(Call& call);

    HttpResponse list_rooms(Call& call);
    HttpResponse create_room(Call& call);
    HttpResponse delete_room(Call& call);
    HttpResponse list_users(Call& call);
    HttpResponse kick_user(Call& call);

    HttpResponse create_job(Call& call);
    HttpResponse update_job(Call& call);
    HttpResponse stop_job(Call& call);
    HttpResponse create_merge_job(Call& call);
    HttpResponse update_merge_tracks(Call& call);
    HttpResponse update_merge_watermarks(Call& call);
    HttpResponse stop_merge_job(Call& call);
    HttpResponse stop_merge(Call& call);
    HttpResponse create_forward_job(Call& call);
    HttpResponse stop_forward_job(Call& call);
    HttpResponse create_scan_job(Call& call);
    HttpResponse save_as(Call& call);
    HttpResponse change_job(Call& call,
                            std::string_view id,
                            boost::json::object spec,
                            bool merge_fields);
    HttpResponse end_job(Call& call, std::string_view id);
    HttpResponse start_job(Call& call, const std::string& id, JobKind kind, boost::json::object spec);

    Estate& estate_;
    Rng rng_;
};

}  // namespace parley::rest
