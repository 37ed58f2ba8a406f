// One datagram as it came, and once more as the attributes of a check that somebody with our
// password signed: behind the integrity stands all that a client may say.
#include <array>
#include <cstdint>
#include <string_view>

#include "auth/hmac.h"
#include "base/bytes.h"
#include "base/check.h"
#include "ice/lite_agent.h"
#include "ice/stun.h"

using namespace parley;

namespace {

constexpr std::string_view kUfrag = "ufrag123";
constexpr std::string_view kPassword = "password-of-22-letters";
const Path kFrom{.remote = {IpAddress::v4(0xc0000201), 4000}};

void check(ice::LiteAgent& agent, ByteView datagram) {
    const std::string_view ufrag = ice::local_ufrag_of(datagram);
    ice::Outcome outcome;
    agent.handle_stun(Instant(1s), kFrom, datagram, outcome);
    const auto message = ice::parse_stun(datagram);
    if (!message) {
        // What cannot be read is not answered and proves nothing.
        PARLEY_CHECK(outcome.response.empty() && !outcome.proven && !outcome.selected);
        return;
    }
    const std::string_view named = message->username.substr(0, message->username.find(':'));
    if (message->username.find(':') != std::string_view::npos) PARLEY_CHECK(ufrag == named);
    if (outcome.proven || !outcome.response.empty()) {
        PARLEY_CHECK(named == kUfrag && message->has_integrity(kPassword));
        const auto answer = ice::parse_stun(outcome.response);
        PARLEY_CHECK(answer && answer->transaction_id == message->transaction_id);
        PARLEY_CHECK(answer->has_integrity(kPassword) && answer->has_fingerprint);
        PARLEY_CHECK(outcome.proven == (answer->type == ice::StunType::kBindingSuccess));
        // No amplification: an answer is never much longer than its question.
        PARLEY_CHECK(outcome.response.size() <= datagram.size() + 64);
    }
    if (outcome.selected) PARLEY_CHECK(outcome.proven);
}

/// A check of ours whose further attributes are these bytes, signed with the right password.
Bytes signed_check(ByteView attributes) {
    constexpr std::size_t kIntegrity = 4 + 20;
    ice::StunWriter writer(ice::StunType::kBindingRequest, ice::TransactionId{1});
    writer.username("ufrag123:them");
    Bytes message = writer.finish(kPassword);
    message.resize(message.size() - kIntegrity - 8);  // FINGERPRINT goes as well
    message.insert(message.end(),
                   attributes.begin(),
                   attributes.begin() + static_cast<std::ptrdiff_t>(attributes.size() / 4 * 4));
    store_u16(message.data() + 2, static_cast<std::uint16_t>(message.size() - 20 + kIntegrity));
    const auto hmac = auth::hmac_sha1(as_bytes_view(kPassword), message);
    message.insert(message.end(), {0x00, 0x08, 0x00, 0x14});
    message.insert(message.end(), hmac.begin(), hmac.end());
    return message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 2'000) return 0;
    const ByteView input(data, size);
    ice::LiteAgent agent({.local = {std::string(kUfrag), std::string(kPassword)}}, Instant(0s));
    (void)ice::is_stun(input);
    check(agent, input);
    if (size > 0) check(agent, signed_check(input));
    return 0;
}
