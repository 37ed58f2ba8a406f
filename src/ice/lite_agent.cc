#include "ice/lite_agent.h"

#include "ice/stun.h"

namespace parley::ice {
namespace {

constexpr std::uint16_t kRoleConflict = 487;
constexpr std::uint16_t kUnknownAttribute = 420;

}  // namespace

LiteAgent::LiteAgent(const Config& config, Instant now) : config_(config), last_check_(now) {
    credentials_.push_back(config.local);
}

bool LiteAgent::owns(std::string_view local_ufrag) const {
    for (const Credentials& c : credentials_) {
        if (c.ufrag == local_ufrag) return true;
    }
    return false;
}

void LiteAgent::restart(Instant now, const Credentials& local) {
    if (credentials_.full()) credentials_[0] = credentials_[1], credentials_.pop_back();
    credentials_.push_back(local);
    last_check_ = now;
}

void LiteAgent::handle_stun(Instant now, const Path& from, ByteView message, Outcome& out) {
    if (state_ == State::kFailed) return;
    const auto parsed = parse_stun(message);
    if (!parsed || parsed->type != StunType::kBindingRequest) {
        ++stats_.malformed;
        return;
    }
    const std::string_view ufrag = parsed->username.substr(0, parsed->username.find(':'));
    const Credentials* credentials = nullptr;
    for (const Credentials& c : credentials_) {
        if (c.ufrag == ufrag) credentials = &c;
    }
    if (credentials == nullptr || !parsed->has_integrity(credentials->password)) {
        ++stats_.bad_integrity;
        return;
    }
    if (parsed->unknown_required != 0) {
        StunWriter answer(StunType::kBindingError, parsed->transaction_id);
        answer.error_code(kUnknownAttribute, "Unknown Attribute");
        answer.unknown_attribute(parsed->unknown_required);
        out.response = answer.finish(credentials->password);
        return;
    }
    if (parsed->ice_controlled) {
        // RFC 8445 section 7.3.1.1: a lite agent is always controlled.
        StunWriter answer(StunType::kBindingError, parsed->transaction_id);
        answer.error_code(kRoleConflict, "Role Conflict");
        out.response = answer.finish(credentials->password);
        return;
    }
    ++stats_.checks;
    last_check_ = now;
    out.proven = true;
    StunWriter answer(StunType::kBindingSuccess, parsed->transaction_id);
    answer.xor_mapped_address(from.remote);
    out.response = answer.finish(credentials->password);

    const bool nominates = parsed->use_candidate;
    if (!selected_ || (nominates && selected_ != from)) {
        if (selected_) ++stats_.path_changes;
        selected_ = from;
        out.selected = from;
    }
    if (nominates) {
        nominated_ = true;
        // A check with the newest credentials ends the time of the old ones.
        if (credentials_.size() == kMaxCredentials && credentials == &credentials_[1]) {
            credentials_[0] = credentials_[1];
            credentials_.pop_back();
        }
    }
    if (state_ != State::kConnected) {
        state_ = State::kConnected;
        out.state = state_;
    }
}

void LiteAgent::handle_timeout(Instant now, Outcome& out) {
    if (state_ == State::kWaiting || state_ == State::kFailed) return;
    if (now - last_check_ >= config_.fail_after) {
        state_ = State::kFailed;
        out.state = state_;
    } else if (state_ == State::kConnected && now - last_check_ >= config_.disconnect_after) {
        state_ = State::kDisconnected;
        out.state = state_;
    }
}

std::optional<Instant> LiteAgent::next_deadline() const {
    switch (state_) {
        case State::kWaiting:
        case State::kFailed: return std::nullopt;
        case State::kConnected: return last_check_ + config_.disconnect_after;
        case State::kDisconnected: return last_check_ + config_.fail_after;
    }
    return std::nullopt;
}

}  // namespace parley::ice
