#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "rest/directory.h"
#include "rest/event_reports.h"
#include "rest/http.h"
#include "rest/management.h"
#include "rest/media_sessions.h"
#include "rest/rtc_pub.h"
#include "rest/signed_calls.h"
#include "rest/v2_rooms.h"
#include "rest/whip.h"
#include "rest/x1.h"
#include "rest/x1_history.h"

namespace parley::rest {

struct RouterConfig {
    std::string signing_key;     ///< for access and relay tokens; survives restarts
    std::string signalling_url;  ///< "wss://host"; empty: made from the request's Host header
    bool trust_proxy = false;    ///< believe X-Forwarded-Proto and X-Forwarded-Host
    bool dev = false;            ///< offer the demo token service
    std::string public_ip;       ///< answer of `/ip`; empty: the Host header, if that is an IP
    bool v2_rooms = false;       ///< offer the room calls of v1 and v2 (REST section 15)
    SignedCallRules signed_calls{};
    gate::UrlGate::Policy sources{};  ///< where files that are played into rooms may be
};

/// The HTTP calls of client libraries (REST section 13), the demo token service, WHIP and WHEP.
/// Decides only; sockets, pages, metrics and health are the shell's.
class Router {
public:
    /// All references must outlive the router.
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;
    Router(RouterConfig config,
           Rng rng,
           SecretSource& secrets,
           const Directory& directory,
           MediaSessions& sessions,
           Estate& estate,
           RoomControl& rooms,
           History& history);

    /// Every answer has X-Reqid and lets any origin read it.
    HttpResponse handle(Instant now, WallTime wall, const HttpRequest& request);
    /// Room control ended a WHIP or WHEP session: its resource is gone.
    void handle_ended(signalling::MediaSessionId session) { whip_.handle_ended(session); }

    [[nodiscard]] const EventReports& event_reports() const { return reports_; }
    [[nodiscard]] const Whip& whip() const { return whip_; }
    [[nodiscard]] const SignedCalls& signed_calls() const { return signed_calls_; }

private:
    struct Call {
        Instant now;
        WallTime wall;
        const HttpRequest& request;
        const Target& target;
        std::vector<std::string_view> arguments;  ///< what the `*` of the route stood for
    };
    struct Entry;
    static const std::vector<Entry>& entries();

    HttpResponse dispatch(Instant now, WallTime wall, const HttpRequest& request);

    HttpResponse room_auth(const Call& call);
    HttpResponse relay_token(const Call& call);
    HttpResponse sdk_config(const Call& call);
    HttpResponse log_upload_token(const Call& call);
    HttpResponse event_report(const Call& call);
    HttpResponse x1_contract(const Call& call);
    template <RtcPub::Answer kAnswer>
    HttpResponse pub(const Call& call);
    HttpResponse own_ip(const Call& call);
    HttpResponse demo_token(const Call& call);
    HttpResponse demo_admin_token(const Call& call);
    HttpResponse demo_rooms(const Call& call);
    HttpResponse demo_users(const Call& call);
    HttpResponse demo_app(const Call& call);
    HttpResponse mint_demo_token(const Call& call, auth::Permission permission);

    /// The claims of `?token=` when it speaks for the room and user of the URL.
    Result<auth::RoomClaims> check_token(const Call& call) const;
    /// nullopt: the Host header cannot stand in a URL.
    [[nodiscard]] std::optional<std::string> signalling_url(const HttpRequest& request) const;

    RouterConfig config_;
    Rng rng_;
    SecretSource& secrets_;
    const Directory& directory_;
    RoomControl& rooms_;
    EventReports reports_;
    Whip whip_;
    RtcPub rtc_pub_;
    Management management_;
    X1 x1_;
    X1History x1_history_;
    V2Rooms v2_rooms_;
    SignedCalls signed_calls_;
};

}  // namespace parley::rest
