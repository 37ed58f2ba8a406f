#pragma once

#include <string>
#include <string_view>

#include "auth/room_token.h"
#include "base/rng.h"
#include "gate/url_gate.h"
#include "rest/estate.h"
#include "rest/http.h"

namespace parley::rest {

/// Media files that are played into a room (REST section 10): called by browsers and phones, with a
/// room token of an admin in place of a signature. A task is a job of the room, of kind `pub`.
class RtcPub {
public:
    static constexpr std::size_t kMaxSources = 64;

    /// `estate` must outlive it. `gate`: where sources may be.
    RtcPub(Estate& estate, gate::UrlGate gate, Rng rng)
        : estate_(estate), gate_(std::move(gate)), rng_(rng) {}

    /// One call whose token was good and is of the room that the path names.
    struct Call {
        WallTime wall;
        const HttpRequest& request;
        const auth::RoomClaims& claims;
        std::string_view task;  ///< of the path; empty where it names none
    };
    using Answer = HttpResponse (RtcPub::*)(const Call&);

    /// 403 unless the token is an admin's.
    HttpResponse handle(const Call& call, Answer answer);

    HttpResponse create(const Call& call);
    HttpResponse list(const Call& call);
    HttpResponse start(const Call& call);
    HttpResponse stop(const Call& call);
    HttpResponse seek(const Call& call);
    HttpResponse remove(const Call& call);

private:
    [[nodiscard]] const JobRecord* task_of(const Call& call) const;

    Estate& estate_;
    gate::UrlGate gate_;
    Rng rng_;
};

}  // namespace parley::rest
