// Tokens and signatures as clients bring them; and the claims behind a good signature, which
// whoever holds an account's key may choose freely.
#include <cstdint>
#include <string>
#include <string_view>

#include "auth/access_token.h"
#include "auth/hmac.h"
#include "auth/qiniu_signature.h"
#include "auth/relay_token.h"
#include "auth/room_token.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/encoding.h"

using namespace parley;
using namespace parley::auth;

namespace {

const AccountKey kAccount{"AK-test-0123456789", "SK-test-abcdefghij"};
constexpr std::string_view kOwnKey = "key of this server";
const WallTime kNow(Duration(1'700'000'000s));

class Keys final : public KeyLookup {
public:
    [[nodiscard]] std::optional<std::string> secret_key(
        std::string_view access_key) const override {
        return access_key == kAccount.access_key ? std::optional(kAccount.secret_key)
                                                 : std::nullopt;
    }
    [[nodiscard]] bool owns_app(std::string_view, std::string_view app_id) const override {
        return app_id == "desls83s2";
    }
};

/// A room token whose payload is any text, signed as its owner would.
std::string signed_room_token(std::string_view payload) {
    const std::string encoded = base64_encode(as_bytes_view(payload), Base64Alphabet::kUrlSafe);
    const auto mac = hmac_sha1(as_bytes_view(kAccount.secret_key), as_bytes_view(encoded));
    return kAccount.access_key + ":" + base64_encode(mac, Base64Alphabet::kUrlSafe) + ":" + encoded;
}

void check_room(const Result<RoomClaims>& claims) {
    if (!claims) {
        const int code = wire_code(claims.error());
        PARLEY_CHECK(code == kCodeTokenWrong || code == kCodeTokenExpired);
        return;
    }
    PARLEY_CHECK(claims->expire_at > kNow);
    PARLEY_CHECK(is_room_name(claims->room_name) && claims->room_name.size() <= kMaxRoomNameBytes);
    PARLEY_CHECK(is_user_id(claims->user_id) && claims->user_id.size() <= kMaxUserIdBytes);
}

void check_requests(std::string_view text) {
    // Lines: method, path, query, host, content type, authorization, header, its value, body.
    std::string_view parts[9];
    for (std::string_view& part : parts) {
        const std::size_t end = text.find('\n');
        part = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    SignedRequestView request;
    request.method = parts[0];
    request.path = parts[1];
    request.query = parts[2];
    request.host = parts[3];
    request.content_type = parts[4];
    request.headers = {{parts[6], parts[7]}};
    request.body = parts[8];
    const Keys keys;
    (void)verify_request(request, parts[5], keys, kNow);
    // What the owner signs is accepted, unless a date says that it is old.
    const auto own = verify_request(request, sign_request(kAccount, request), keys, kNow);
    PARLEY_CHECK(own || own.error().code == Errc::kExpired || own.error().code == Errc::kMalformed);
    if (own) PARLEY_CHECK(*own == kAccount.access_key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > 20'000) return 0;
    const std::string_view text = as_text_view({data, size});
    const Keys keys;
    check_room(verify_room_token(text, keys, kNow));
    check_room(verify_room_token(signed_room_token(text), keys, kNow));
    if (const auto claims = verify_access_token(kOwnKey, text, kNow)) {
        const std::string again = mint_access_token(kOwnKey, *claims, "wss://host/");
        const auto read = verify_access_token(kOwnKey, again, kNow);
        PARLEY_CHECK(read && *read == *claims);
    }
    (void)verify_relay_token(kOwnKey, text, kNow);
    check_requests(text);
    return 0;
}
