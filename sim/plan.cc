#include "sim/plan.h"

#include <algorithm>

namespace parley::sim {
namespace {

/// A subscriber decodes again within this time when only its links were bad. Most of it is the
/// back-off of a DTLS handshake that the loss hit (1.6 s), and the second request for a key frame
/// (500 ms).
constexpr Duration kMediaRecovery = 5s;
/// With dead sockets, restarts and lost consent: 10 s until either side takes silence for a dead
/// socket, then a reconnect, then new connections.
constexpr Duration kFullRecovery = 20s;

LinkConfig bad_link(Rng& rng) {
    LinkConfig link;
    link.delay = std::chrono::milliseconds(1 + rng.below(60));
    if (rng.chance(0.5)) link.jitter = std::chrono::milliseconds(1 + rng.below(40));
    if (rng.chance(0.6)) link.loss = rng.unit() * (rng.chance(0.2) ? 0.25 : 0.05);
    if (rng.chance(0.4)) {
        link.burst_start = rng.unit() * 0.02;
        link.burst_continue = 0.5 + rng.unit() * 0.45;
    }
    if (rng.chance(0.3)) link.duplicate = rng.unit() * 0.1;
    if (rng.chance(0.4)) {
        link.reorder = rng.unit() * 0.1;
        link.reorder_by = std::chrono::milliseconds(1 + rng.below(60));
    }
    if (rng.chance(0.2)) {
        link.rate_bps = 300'000 + static_cast<std::int64_t>(rng.below(1'500'000));
        link.max_queueing = std::chrono::milliseconds(20 + rng.below(300));
    }
    return link;
}

bool needs_full_recovery(Incident incident) {
    switch (incident) {
        case Incident::kLongBlackout:
        case Incident::kSocketReset:
        case Incident::kSocketHalfOpen:
        case Incident::kDrain:
        case Incident::kKill:
        case Incident::kClockLeap:
        case Incident::kBlackout:
        case Incident::kLeave:
        case Incident::kKick:
            return true;
        case Incident::kAddressChange:
        case Incident::kWallLeap:
        case Incident::kGarbage:
        case Incident::kToggleSource:
        case Incident::kToggleSubscription:
        case Incident::kSwitchProfile:
        case Incident::kMute:
        case Incident::kMessage:
        case Incident::kRestartIce:
            return false;
    }
    return true;
}

}  // namespace

std::string_view to_string(Incident incident) {
    switch (incident) {
        case Incident::kBlackout:
            return "blackout";
        case Incident::kLongBlackout:
            return "long-blackout";
        case Incident::kAddressChange:
            return "address-change";
        case Incident::kSocketReset:
            return "socket-reset";
        case Incident::kSocketHalfOpen:
            return "half-open";
        case Incident::kDrain:
            return "drain";
        case Incident::kKill:
            return "kill";
        case Incident::kClockLeap:
            return "clock-leap";
        case Incident::kWallLeap:
            return "wall-leap";
        case Incident::kGarbage:
            return "garbage";
        case Incident::kLeave:
            return "leave";
        case Incident::kToggleSource:
            return "toggle-source";
        case Incident::kToggleSubscription:
            return "toggle-subscription";
        case Incident::kSwitchProfile:
            return "switch-profile";
        case Incident::kMute:
            return "mute";
        case Incident::kMessage:
            return "message";
        case Incident::kRestartIce:
            return "ice-restart";
        case Incident::kKick:
            return "kick";
    }
    return "?";
}

std::string_view to_string(PhoneIncident incident) {
    switch (incident) {
        case PhoneIncident::kStall:
            return "phone-stall";
        case PhoneIncident::kLongStall:
            return "phone-long-stall";
        case PhoneIncident::kSlow:
            return "phone-slow";
        case PhoneIncident::kCut:
            return "phone-cut";
        case PhoneIncident::kVanish:
            return "phone-vanish";
        case PhoneIncident::kSessionLoss:
            return "phone-session-loss";
    }
    return "?";
}

namespace {

/// Its own numbers, so that the rest of a seed's world does not depend on it.
void add_phones(Plan& plan) {
    Rng rng(plan.seed * 0xbf58'476d'1ce4'e5b9 + 2);
    if (!rng.chance(0.4)) return;
    const std::size_t count = 1 + rng.below(3);
    for (std::size_t i = 0; i < count; ++i) {
        Plan::Phone phone;
        phone.user = "p" + std::to_string(i);
        phone.room = "r0";
        phone.audio = rng.chance(0.8);
        phone.video = rng.chance(0.8);
        phone.drift_ppm = static_cast<std::int64_t>(rng.below(400)) - 200;
        phone.joins_at = std::chrono::milliseconds(rng.below(1'500));
        phone.delay = std::chrono::milliseconds(1 + rng.below(60));
        phone.suffers = rng.chance(0.6);
        plan.phones.push_back(phone);
    }
    for (int i = 0; i < kPhoneIncidents; ++i) {
        const auto incident = static_cast<PhoneIncident>(i);
        const bool rare = incident == PhoneIncident::kLongStall;
        if (rng.chance(rare ? 0.1 : 0.5)) plan.phone_incidents.push_back(incident);
    }
    // A dead player is let go after 10 s, and control is told.
    const bool suffers = std::any_of(
        plan.phones.begin(), plan.phones.end(), [](const Plan::Phone& p) { return p.suffers; });
    if (suffers && !plan.phone_incidents.empty()) plan.recovers_within = kFullRecovery;
}

}  // namespace

Plan Plan::from_seed(std::uint64_t seed) {
    Rng rng(seed * 0x9e3779b97f4a7c15 + 1);
    Plan plan;
    plan.seed = seed;
    plan.is_clean = rng.chance(0.15);
    plan.workers = 1 + rng.below(2);
    plan.server_drift_ppm = static_cast<std::int64_t>(rng.below(400)) - 200;
    const std::size_t rooms = rng.chance(0.3) ? 2 : 1;
    const std::size_t members = 2 * rooms + rng.below(3);
    const bool links_are_bad = !plan.is_clean && rng.chance(0.8);
    for (std::size_t i = 0; i < members; ++i) {
        Member member;
        member.user = "u" + std::to_string(i);
        member.room = "r" + std::to_string(i % rooms);
        member.tcp = rng.chance(0.15);
        member.audio = rng.chance(0.8);
        member.video = rng.chance(0.7);
        member.simulcast = member.video && rng.chance(0.3);
        member.drift_ppm = static_cast<std::int64_t>(rng.below(400)) - 200;
        member.joins_at = std::chrono::milliseconds(rng.below(1'500));
        if (links_are_bad) {
            member.up = bad_link(rng);
            member.down = bad_link(rng);
        } else {
            member.up.delay = member.down.delay = std::chrono::milliseconds(1 + rng.below(60));
        }
        plan.members.push_back(member);
    }
    plan.heals_at = std::chrono::milliseconds(5'000 + rng.below(4'000));
    if (plan.is_clean) {
        plan.heals_at = 5s;
        plan.incidents = {Incident::kMute, Incident::kMessage};
    } else {
        for (int i = 0; i < kIncidents; ++i) {
            const auto incident = static_cast<Incident>(i);
            const bool rare = incident == Incident::kLongBlackout;
            if (rng.chance(rare ? 0.03 : 0.25)) plan.incidents.push_back(incident);
        }
    }
    const bool full =
        std::any_of(plan.incidents.begin(), plan.incidents.end(), needs_full_recovery);
    plan.recovers_within = full ? kFullRecovery : kMediaRecovery;
    add_phones(plan);
    return plan;
}

std::string Plan::describe() const {
    std::string out = is_clean ? "clean" : "faulty";
    out +=
        ", " + std::to_string(members.size()) + " members, " + std::to_string(workers) + " workers";
    for (const Incident incident : incidents) {
        out += ' ';
        out += to_string(incident);
    }
    if (!phones.empty()) out += ", " + std::to_string(phones.size()) + " phones";
    for (const PhoneIncident incident : phone_incidents) {
        out += ' ';
        out += to_string(incident);
    }
    return out;
}

}  // namespace parley::sim
