#include "rest/signed_calls.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "base/address.h"
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

namespace {

/// A header that decides who calls or what is called, twice, reads differently in different places.
bool has_ambiguous_header(const HttpRequest& request) {
    std::set<std::string> seen;
    for (const Header& header : request.headers) {
        std::string name = header.first;
        std::transform(name.begin(), name.end(), name.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
        });
        const bool decides = name == "host" || name == "authorization" || name == "content-type" ||
                             name == "content-length" || name.starts_with("x-qiniu-");
        if (decides && !seen.insert(std::move(name)).second) return true;
    }
    return false;
}

bool is_nonce(std::string_view text) {
    constexpr std::size_t kShortest = 16;
    constexpr std::size_t kLongest = 64;
    return text.size() >= kShortest && text.size() <= kLongest &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
           });
}

/// Whom failures are counted for. Of IPv6 one customer has a whole /64.
std::string offender_of(const HttpRequest& request, bool trust_proxy) {
    std::string_view text = request.peer;
    if (trust_proxy) {
        // Proxies append: only the last entry is our own proxy's word.
        std::string_view list = request.header("X-Forwarded-For");
        list.remove_prefix(list.rfind(',') == list.npos ? 0 : list.rfind(',') + 1);
        const std::size_t first = list.find_first_not_of(' ');
        if (first != list.npos) text = list.substr(first);
    }
    const Result<IpAddress> ip = IpAddress::parse(text);
    if (!ip) return request.peer;
    if (ip->is_v4()) return ip->to_string();
    IpAddress network = *ip;
    std::fill(network.bytes.begin() + 8, network.bytes.end(), std::uint8_t{0});
    return network.to_string();
}

}  // namespace

ReplayGuard::Verdict SignedCalls::check_nonce(WallTime wall,
                                              const HttpRequest& request,
                                              bool is_own,
                                              std::string_view access_key) {
    using Verdict = ReplayGuard::Verdict;
    const std::string_view nonce = request.header("X-Qiniu-Nonce");
    if (nonce.empty()) return is_own && rules_.needs_nonce ? Verdict::kSeen : Verdict::kFresh;
    // Without a date it would have to be remembered for ever.
    const auto date = auth::parse_signature_date(request.header("X-Qiniu-Date"));
    if (!date || !is_nonce(nonce)) return Verdict::kSeen;
    return nonces_.take(wall, access_key, nonce, *date + rules_.signature.max_age + 1s);
}

std::optional<HttpResponse> SignedCalls::authenticate(Instant now,
                                                      WallTime wall,
                                                      const HttpRequest& request,
                                                      const Target& target,
                                                      std::string& access_key) {
    const std::string offender = offender_of(request, rules_.trust_proxy);
    if (failures_.is_blocked(now, offender)) {
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
    const Result<std::string> signer = auth::verify_request(
        view, request.header("Authorization"), estate_.keys(), wall, rules_.signature);
    if (signer && !has_ambiguous_header(request)) {
        const auto verdict = check_nonce(wall, request, target.path[0] == "x1", *signer);
        if (verdict == ReplayGuard::Verdict::kFull) return error_response(503, "too many nonces");
        if (verdict == ReplayGuard::Verdict::kFresh) {
            access_key = *signer;
            return std::nullopt;
        }
    }
    ++stats_.refused;
    failures_.count_failure(now, offender);
    return error_response(401, "bad token");
}

HttpResponse SignedCalls::answer(const SignedRoute& entry,
                                 Instant now,
                                 WallTime wall,
                                 const HttpRequest& request,
                                 const Target& target,
                                 std::vector<std::string_view> arguments) {
    ++stats_.calls;
    std::string access_key;
    if (auto refused = authenticate(now, wall, request, target, access_key)) {
        return *std::move(refused);
    }
    SignedCall call{now, wall, target, std::move(arguments), std::move(access_key), 0, {}, nullptr};
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
