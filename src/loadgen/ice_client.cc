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
    writer.ice_controlling(tie_breaker_);
    writer.use_candidate();
    return writer.finish(remote_.password);
}

bool IceClient::handle_stun(Instant now, ByteView message) {
    const auto parsed = ice::parse_stun(message);
    if (!parsed || parsed->type != ice::StunType::kBindingSuccess) return false;
    if (parsed->transaction_id != transaction_ || !parsed->has_integrity(remote_.password)) return false;
    last_answer_ = now;
    if (connected_) return false;
    connected_ = true;
    next_check_ = now + kConsentInterval;
    return true;
}

}  // namespace parley::loadgen
