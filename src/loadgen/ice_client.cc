#include "loadgen/ice_client.h"

#include <algorithm>

namespace parley::loadgen {

IceClient::IceClient(ice::Credentials local, ice::Credentials remote, Rng rng, Instant now)
    : local_(std::move(local)),
      remote_(std::move(remote)),
      rng_(rng),
      tie_breaker_(rng_.next_u64()),
      next_check_(now),
      last_answer_(now) {}

std::optional<Bytes> IceClient::take_check(Instant now) {
    if (now < next_check_) return std::nullopt;
    if (connected_) {
        next_check_ = now + kConsentInterval;
    } else {
        next_check_ = now + interval_;
        interval_ = std::min(interval_ * 2, kLastInterval);
    }
    // While unanswered the same transaction is repeated (RFC 8489 section 6.2.1), so that a late answer counts.
    if (connected_ || transaction_ == ice::TransactionId{}) {
        for (auto& byte : transaction_) byte = static_cast<std::uint8_t>(rng_.next_u32());
    }
    ice::StunWriter writer(ice::StunType::kBindingRequest, transaction_);
    writer.username(remote_.ufrag + ":" + local_.ufrag);
    writer.priority(1'845'501'695);  // peer-reflexive preference, component 1 (RFC 8445 section 5.1.2)
    if (is_controlling_) {
        writer.ice_controlling(tie_breaker_);
        writer.use_candidate();
    } else {
        writer.ice_controlled(tie_breaker_);
    }
    return writer.finish(remote_.password);
}

IceClient::Handled IceClient::handle_stun(Instant now, const SocketAddress& from, ByteView message) {
    constexpr std::uint16_t kRoleConflict = 487;
    Handled handled;
    const auto parsed = ice::parse_stun(message);
    if (!parsed) return handled;
    if (parsed->type == ice::StunType::kBindingRequest) {
        if (parsed->has_integrity(local_.password)) handled.answer = answer_check(from, *parsed);
        return handled;
    }
    if (parsed->transaction_id != transaction_ || !parsed->has_integrity(remote_.password)) return handled;
    if (parsed->type == ice::StunType::kBindingError && parsed->error_code == kRoleConflict) {
        is_controlling_ = !is_controlling_;
        transaction_ = {};
        next_check_ = now;
        return handled;
    }
    if (parsed->type != ice::StunType::kBindingSuccess) return handled;
    last_answer_ = now;
    if (connected_) return handled;
    connected_ = handled.connected = true;
    next_check_ = now + kConsentInterval;
    return handled;
}

Bytes IceClient::answer_check(const SocketAddress& from, const ice::StunMessage& check) {
    // The larger tie-breaker keeps the controlling role. We give it up without an argument: who nominates
    // matters to nobody with one pair.
    if (is_controlling_ && check.ice_controlling) is_controlling_ = false;
    if (!is_controlling_ && check.ice_controlled) is_controlling_ = true;
    ice::StunWriter answer(ice::StunType::kBindingSuccess, check.transaction_id);
    answer.xor_mapped_address(from);
    return answer.finish(local_.password);
}

}  // namespace parley::loadgen
