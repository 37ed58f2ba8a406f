#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "sim/link.h"

namespace parley::sim {

/// What can go wrong between clients and server, and what users do meanwhile.
enum class Incident : std::uint8_t {
    kBlackout,       ///< a client's network is gone for up to 8 s
    kLongBlackout,   ///< for longer than consent lives
    kAddressChange,  ///< a client's network gives it another address
    kSocketReset,
    kSocketHalfOpen,  ///< the socket is dead and nobody is told
    kDrain,           ///< the server is replaced by another process, with a warning
    kKill,            ///< without one
    kClockLeap,       ///< the server's machine was suspended
    kWallLeap,
    kGarbage,  ///< datagrams that no client sent
    kLeave,
    kToggleSource,
    kToggleSubscription,
    kSwitchProfile,
    kMute,
    kMessage,
    kRestartIce,
    kKick,
};
inline constexpr int kIncidents = 18;

/// What can go wrong with a mini program's connections.
enum class PhoneIncident : std::uint8_t {
    kStall,      ///< it reads and sends nothing for up to 4 s
    kLongStall,  ///< for longer than the server waits for a player
    kSlow,       ///< 60 kb/s
    kCut,        ///< RTMP connections are reset
    kVanish,     ///< they are dead, and the server is not told
    kSessionLoss,
};
inline constexpr int kPhoneIncidents = 6;

/// Everything that one seed decides before a world begins.
struct Plan {
    struct Member {
        std::string user;
        std::string room;
        bool tcp = false;
        bool audio = true;
        bool video = true;
        bool simulcast = false;
        std::int64_t drift_ppm = 0;
        Duration joins_at{};
        LinkConfig up;
        LinkConfig down;
    };

    struct Phone {
        std::string user;
        std::string room;
        bool audio = true;
        bool video = true;
        std::int64_t drift_ppm = 0;
        Duration joins_at{};
        Duration delay = 10ms;
        bool suffers = false;  ///< from `phone_incidents`
    };

    std::uint64_t seed = 0;
    bool is_clean = false;  ///< no fault and no incident that loses a packet
    std::size_t workers = 1;
    std::int64_t server_drift_ppm = 0;
    std::vector<Member> members;
    std::vector<Incident> incidents;  ///< those that may happen
    std::vector<Phone> phones;
    std::vector<PhoneIncident> phone_incidents;  ///< in a clean world too: nobody else may notice
    Duration heals_at{};                         ///< from now on nothing goes wrong any more
    Duration recovers_within{};                  ///< and after so long everything works

    static Plan from_seed(std::uint64_t seed);
    [[nodiscard]] std::string describe() const;
};

std::string_view to_string(Incident incident);
std::string_view to_string(PhoneIncident incident);

}  // namespace parley::sim
