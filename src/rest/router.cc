#include "rest/router.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <charconv>
#include <utility>

#include "auth/access_token.h"
#include "auth/relay_token.h"
#include "base/address.h"
#include "rest/answers.h"
#include "rest/contract.h"
#include "rest/reference.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr Duration kDemoTokenLifetime = 24h;
constexpr std::size_t kDefaultRoomsPerPage = 100;
constexpr std::size_t kMaxRoomsPerPage = 1000;
constexpr std::size_t kMaxHostBytes = 255;

HttpResponse not_found() { return error_response(404, "not found"); }
HttpResponse bad_token() { return error_response(401, "bad token"); }
HttpResponse app_not_found() { return error_response(612, "app not found"); }

bool is_host(std::string_view text) {
    return !text.empty() && text.size() <= kMaxHostBytes &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
           });
}

/// Host without its port; an IPv6 literal without its brackets.
std::string_view host_name(std::string_view host) {
    if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
    return host.substr(0, host.find(':'));
}

/// The first of a comma-separated list, as proxies in a row write it.
std::string_view first_of_list(std::string_view list) { return list.substr(0, list.find(',')); }

std::size_t number_parameter(const Target& target, std::string_view name, std::size_t fallback) {
    const std::string_view text = target.parameter(name);
    std::size_t value = fallback;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && at == text.data() + text.size() ? value : fallback;
}

HttpResponse preflight(const std::string& methods) {
    HttpResponse response{204, {}, {}};
    response.set_header("Access-Control-Allow-Methods", methods);
    response.set_header("Access-Control-Allow-Headers", "content-type, authorization");
    response.set_header("Access-Control-Max-Age", "86400");
    return response;
}

}  // namespace

namespace {

SignedCallRules signed_call_rules(const RouterConfig& config) {
    SignedCallRules rules = config.signed_calls;
    rules.trust_proxy = config.trust_proxy;
    return rules;
}

}  // namespace

struct Router::Entry {
    Route route;
    HttpResponse (Router::*answer)(const Call&);
    bool demo = false;  ///< of the demo token service: with `v1/rtc` before the path or without

    [[nodiscard]] std::optional<std::vector<std::string_view>> match(
        const std::vector<std::string>& given) const {
        const bool prefixed = demo && given.size() > 2 && given[0] == "v1" && given[1] == "rtc";
        return route.match(given, prefixed ? 2 : 0);
    }
};

const std::vector<Router::Entry>& Router::entries() {
    static const std::vector<Entry> table = {
        {{"GET", {"v3", "apps", "*", "rooms", "*", "auth"}}, &Router::room_auth},
        {{"GET", {"v3", "apps", "*", "rooms", "*", "relay", "token"}}, &Router::relay_token},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "pub"}}, &Router::pub<&RtcPub::create>},
        {{"GET", {"v3", "apps", "*", "rooms", "*", "pub"}}, &Router::pub<&RtcPub::list>},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "pub", "*", "start"}},
         &Router::pub<&RtcPub::start>},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "pub", "*", "stop"}},
         &Router::pub<&RtcPub::stop>},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "pub", "*", "seek"}},
         &Router::pub<&RtcPub::seek>},
        {{"DELETE", {"v3", "apps", "*", "rooms", "*", "pub", "*"}}, &Router::pub<&RtcPub::remove>},
        {{"GET", {"v4", "sdk", "config"}}, &Router::sdk_config},
        {{"GET", {"v4", "sdk", "log", "upload", "token"}}, &Router::log_upload_token},
        {{"POST", {"v1", "rtcevent"}}, &Router::event_report},
        {{"GET", {"x1", "openapi.json"}}, &Router::x1_contract},
        {{"GET", {"ip"}}, &Router::own_ip},
        {{"GET", {"token", "app", "*", "room", "*", "user", "*"}}, &Router::demo_token, true},
        {{"GET", {"token", "admin", "app", "*", "room", "*", "user", "*"}},
         &Router::demo_admin_token,
         true},
        {{"GET", {"rooms", "app", "*"}}, &Router::demo_rooms, true},
        {{"GET", {"users", "app", "*", "room", "*"}}, &Router::demo_users, true},
        {{"GET", {"app", "*"}}, &Router::demo_app, true},
    };
    return table;
}

Router::Router(RouterConfig config,
               Rng rng,
               SecretSource& secrets,
               const Directory& directory,
               MediaSessions& sessions,
               Estate& estate,
               RoomControl& rooms,
               History& history)
    : config_(std::move(config)),
      rng_(rng),
      secrets_(secrets),
      directory_(directory),
      rooms_(rooms),
      whip_(secrets, directory.keys(), sessions),
      rtc_pub_(estate, gate::UrlGate(config_.sources), rng_.fork()),
      management_(estate, rng_.fork()),
      x1_(estate, rooms, secrets, rng_.fork()),
      x1_history_(history),
      v2_rooms_(estate, rng_.fork()),
      signed_calls_(estate, signed_call_rules(config_)) {
    signed_calls_.add(management_.routes());
    signed_calls_.add(x1_.routes());
    signed_calls_.add(x1_history_.routes());
    if (config_.v2_rooms) signed_calls_.add(v2_rooms_.routes());
}

HttpResponse Router::handle(Instant now, WallTime wall, const HttpRequest& request) {
    HttpResponse response = dispatch(now, wall, request);
    HttpResponse common;
    add_cors(common);
    add_request_id(common, rng_);
    const auto complete = [headers = std::move(common.headers)](HttpResponse& answer) {
        for (const Header& header : headers) answer.set_header(header.first, header.second);
    };
    if (!response.later) {
        complete(response);
        return response;
    }
    response.later = [complete, ask = std::move(response.later)](auto done) {
        ask([complete, done = std::move(done)](HttpResponse answer) {
            complete(answer);
            done(std::move(answer));
        });
    };
    return response;
}

HttpResponse Router::dispatch(Instant now, WallTime wall, const HttpRequest& request) {
    const Result<Target> target = parse_target(request.target);
    if (!target) {
        return target.error().code == Errc::kTooLarge ? error_response(414, "target too long")
                                                      : invalid_args();
    }
    if (!target->path.empty() && (target->path[0] == "whip" || target->path[0] == "whep")) {
        return whip_.handle(now, wall, request, target->path);
    }
    if (target->path.size() <= 2 && !target->path.empty() && target->path[0] == "x1" &&
        (request.method == "GET" || request.method == "HEAD")) {
        const std::string_view file =
            target->path.size() == 2 ? target->path[1] : std::string_view();
        if (auto page = reference_page(file)) return *std::move(page);
    }
    if (auto response = signed_calls_.handle(now, wall, request, *target))
        return *std::move(response);
    std::string allowed;
    for (const Entry& entry : entries()) {
        if (entry.demo && !config_.dev) continue;
        std::optional<std::vector<std::string_view>> arguments = entry.match(target->path);
        if (!arguments) continue;
        if (entry.route.method == request.method) {
            return (this->*entry.answer)({now, wall, request, *target, *std::move(arguments)});
        }
        allowed += std::string(entry.route.method) + ", ";
    }
    if (allowed.empty()) return not_found();
    allowed += "OPTIONS";
    if (request.method == "OPTIONS") return preflight(allowed);
    HttpResponse response = error_response(405, "method not allowed");
    response.set_header("Allow", allowed);
    return response;
}

Result<auth::RoomClaims> Router::check_token(const Call& call) const {
    Result<auth::RoomClaims> claims =
        auth::verify_room_token(call.target.parameter("token"), directory_.keys(), call.wall);
    if (!claims) return claims;
    const std::string_view user = call.target.parameter("user");
    if (claims->app_id != call.arguments[0] || claims->room_name != call.arguments[1] ||
        (!user.empty() && claims->user_id != user)) {
        return fail(Errc::kForbidden, "token of another room or user");
    }
    return claims;
}

std::optional<std::string> Router::signalling_url(const HttpRequest& request) const {
    if (!config_.signalling_url.empty()) return config_.signalling_url;
    std::string_view host = request.host;
    bool tls = request.tls;
    if (config_.trust_proxy) {
        const std::string_view forwarded_host = first_of_list(request.header("X-Forwarded-Host"));
        if (!forwarded_host.empty()) host = forwarded_host;
        const std::string_view scheme = first_of_list(request.header("X-Forwarded-Proto"));
        if (!scheme.empty()) tls = scheme == "https" || scheme == "wss";
    }
    if (!is_host(host)) return std::nullopt;
    return (tls ? "wss://" : "ws://") + std::string(host) + '/';
}

/// A refused room token still gets an access token: web clients cannot show an HTTP error, so the
/// refusal travels inside and `auth` is answered with it (protocol section 1.2.2).
HttpResponse Router::room_auth(const Call& call) {
    const std::optional<std::string> url = signalling_url(call.request);
    if (!url) return invalid_args();
    if (call.target.parameter("token").empty()) return bad_token();
    auth::AccessClaims access;
    access.expire_at = call.wall + auth::kAccessTokenLifetime;
    const Result<auth::RoomClaims> claims = check_token(call);
    if (claims) {
        access.app_id = claims->app_id;
        access.room_name = claims->room_name;
        access.user_id = claims->user_id;
        access.permission = claims->permission;
    } else {
        access.refusal = auth::wire_code(claims.error());
    }
    return json_answer({{"accessToken", auth::mint_access_token(config_.signing_key, access, *url)},
                        {"sessionId", secrets_.alphanumeric(16)}});
}

HttpResponse Router::relay_token(const Call& call) {
    Result<auth::RoomClaims> claims = check_token(call);
    if (!claims) return bad_token();
    claims->expire_at = call.wall + auth::kRelayTokenLifetime;
    return json_answer({{"relayToken", auth::mint_relay_token(config_.signing_key, *claims)}});
}

template <RtcPub::Answer kAnswer>
HttpResponse Router::pub(const Call& call) {
    const Result<auth::RoomClaims> claims = check_token(call);
    if (!claims) return bad_token();
    const std::string_view task =
        call.arguments.size() > 2 ? call.arguments[2] : std::string_view();
    return rtc_pub_.handle({call.wall, call.request, *claims, task}, kAnswer);
}

HttpResponse Router::sdk_config(const Call&) { return json_answer({{"content", ""}}); }

/// With a token the client would send its log to a storage service that is not ours.
HttpResponse Router::log_upload_token(const Call&) {
    return error_response(404, "log upload is not offered");
}

/// Always a success: after a failure clients repeat the report with every further event.
HttpResponse Router::event_report(const Call& call) {
    for (const quality::FreezeReport& freeze :
         reports_.handle_report(call.wall, call.request.body)) {
        rooms_.report_freeze(call.wall, freeze);
    }
    return {204, {}, {}};
}

HttpResponse Router::x1_contract(const Call&) {
    return json_response(200, std::string(contract()));
}

HttpResponse Router::own_ip(const Call& call) {
    const std::string ip =
        config_.public_ip.empty() ? std::string(host_name(call.request.host)) : config_.public_ip;
    if (!IpAddress::parse(ip)) return not_found();
    return json_answer({{"ip", ip}});
}

HttpResponse Router::mint_demo_token(const Call& call, auth::Permission permission) {
    const std::optional<AppInfo> app = directory_.app_info(call.arguments[0]);
    if (!app) return app_not_found();
    if (!auth::is_room_name(call.arguments[1]) || !auth::is_user_id(call.arguments[2])) {
        return invalid_args();
    }
    const auth::RoomClaims claims{app->app_id,
                                  std::string(call.arguments[1]),
                                  std::string(call.arguments[2]),
                                  call.wall + kDemoTokenLifetime,
                                  permission};
    return {200, {{"Content-Type", "text/plain"}}, auth::mint_room_token(app->owner, claims)};
}

HttpResponse Router::demo_token(const Call& call) {
    return mint_demo_token(call, auth::Permission::kUser);
}

HttpResponse Router::demo_admin_token(const Call& call) {
    return mint_demo_token(call, auth::Permission::kAdmin);
}

HttpResponse Router::demo_rooms(const Call& call) {
    if (!directory_.app_info(call.arguments[0])) return app_not_found();
    const std::size_t limit =
        std::min(number_parameter(call.target, "limit", kDefaultRoomsPerPage), kMaxRoomsPerPage);
    const signalling::RoomList list =
        directory_.list_rooms(call.arguments[0],
                              call.target.parameter("prefix"),
                              number_parameter(call.target, "offset", 0),
                              limit);
    return json_answer({{"end", list.end},
                        {"offset", list.offset},
                        {"rooms", json::array(list.rooms.begin(), list.rooms.end())}});
}

HttpResponse Router::demo_users(const Call& call) {
    if (!directory_.app_info(call.arguments[0])) return app_not_found();
    json::array users;
    for (const std::string& user :
         directory_.list_users({std::string(call.arguments[0]), std::string(call.arguments[1])})) {
        users.push_back(json::object{{"userId", user}});
    }
    return json_answer({{"users", std::move(users)}});
}

HttpResponse Router::demo_app(const Call& call) {
    const std::optional<AppInfo> app = directory_.app_info(call.arguments[0]);
    if (!app) return app_not_found();
    return json_answer({{"appId", app->app_id},
                        {"title", app->title},
                        {"maxUsers", app->max_users},
                        {"noAutoKickUser", app->no_auto_kick_user}});
}

}  // namespace parley::rest
