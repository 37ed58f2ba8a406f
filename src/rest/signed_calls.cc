#include "rest/signed_calls.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "auth/qiniu_signature.h"
#include "rest/answers.h"
#include "rest/body.h"

namespace parley::rest {

double FailureLimit::left(const Bucket& bucket, Instant now) {
    return std::max(0.0, bucket.failures - to_seconds(now - bucket.at) * kPerSecond);
}

bool FailureLimit::is_blocked(Instant now, const std::string& address) const {
    const auto found = buckets_.find(address);
    return found != buckets_.end() && left(found->second, now) >= kBurst;
}

void FailureLimit::count_failure(Instant now, const std::string& address) {
    if (buckets_.size() >= kMaxAddresses && !buckets_.contains(address)) {
        // Who fails seldom loses his count; who is blocked stays blocked.
        for (const double least : {0.0, kBurst / 2, kBurst + 1}) {
            std::erase_if(buckets_,
                          [&](const auto& entry) { return left(entry.second, now) <= least; });
            if (buckets_.size() < kMaxAddresses) break;
        }
    }
    Bucket& bucket = buckets_[address];
    bucket = {std::min(left(bucket, now) + 1, kBurst + 1), now};
}

void SignedCalls::add(std::vector<SignedRoute> routes) {
    std::move(routes.begin(), routes.end(), std::back_inserter(routes_));
}

std::optional<HttpResponse> SignedCalls::handle(Instant now,
                                                WallTime wall,
                                                const HttpRequest& request,
                                                const Target& target) {
    std::string allowed;
    for (const SignedRoute& entry : routes_) {
        auto arguments = entry.route.match(target.path);
        if (!arguments) continue;
        if (entry.route.method == request.method) {
            return answer(entry, now, wall, request, target, *std::move(arguments));
        }
        allowed += std::string(entry.route.method) + ", ";
    }
    if (allowed.empty()) return std::nullopt;
    allowed += "OPTIONS";
    if (request.method == "OPTIONS") {
        HttpResponse response{204, {}, {}};
        response.set_header("Access-Control-Allow-Methods", allowed);
        response.set_header("Access-Control-Allow-Headers",
                            "content-type, authorization, x-qiniu-date, x-qiniu-nonce");
        response.set_header("Access-Control-Max-Age", "86400");
        return response;
    }
    HttpResponse response = error_response(405, "method not allowed");
    response.set_header("Allow", allowed);
    return response;
}

HttpResponse SignedCalls::answer(const SignedRoute& entry,
                                 Instant now,
                                 WallTime wall,
                                 const HttpRequest& request,
                                 const Target& target,
                                 std::vector<std::string_view> arguments) {
    ++stats_.calls;
    if (failures_.is_blocked(now, request.peer)) {
        ++stats_.blocked;
        return error_response(429, "too many failed requests");
    }
    auth::SignedRequestView view;
    view.method = request.method;
    view.path = target.raw_path;
    view.query = target.raw_query;
    view.host = request.host;
    view.content_type = request.header("Content-Type");
    for (const Header& header : request.headers)
        view.headers.emplace_back(header.first, header.second);
    view.body = request.body;
    Result<std::string> access_key =
        auth::verify_request(view, request.header("Authorization"), estate_.keys(), wall);
    if (!access_key) {
        ++stats_.refused;
        failures_.count_failure(now, request.peer);
        return error_response(401, "bad token");
    }
    SignedCall call{now, wall, target, std::move(arguments), *std::move(access_key), 0, {}, nullptr};
    call.account = estate_.account_of(call.access_key);
    const bool is_job = entry.scope == Scope::kJob;
    // The published answers have no detail.
    const auto wrong = [own = target.path[0] == "x1"](std::string_view what) {
        return own ? invalid_args(what) : invalid_args();
    };
    if (entry.scope != Scope::kAccount) {
        call.app = estate_.find_app(call.arguments[0]);
        // Another account's app is as unknown as one that never was.
        if (call.app == nullptr || call.app->uid != call.account) {
            return error_response(612, "app not found");
        }
        if (entry.scope != Scope::kApp && !auth::is_room_name(call.arguments[1])) {
            return wrong("room");
        }
        if (entry.scope == Scope::kUser && !auth::is_user_id(call.arguments[2])) {
            return wrong("user");
        }
    }
    Result<boost::json::object> body = parse_body(request);
    if (!body) return is_job ? error_response(400, "invalid input") : wrong("body");
    call.body = *std::move(body);
    return entry.answer(call);
}

}  // namespace parley::rest
