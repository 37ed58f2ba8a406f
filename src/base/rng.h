#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace parley {

/// Seeded generator for identifiers, SSRCs and timer jitter (xoshiro256**). Never for keys.
class Rng {
public:
    explicit Rng(std::uint64_t seed);
    std::uint64_t next_u64();
    std::uint32_t next_u32() { return static_cast<std::uint32_t>(next_u64() >> 32); }
    /// Uniform in [0, bound); `bound` must not be 0.
    std::uint64_t below(std::uint64_t bound);
    /// Uniform in [0, 1).
    double unit() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }
    bool chance(double probability) { return unit() < probability; }
    /// An independent generator, so that parts of a world do not share one stream.
    Rng fork() { return Rng(next_u64()); }

private:
    std::uint64_t state_[4];
};

/// Where keys, passwords and unguessable identifiers come from. The shell gives the kernel's source,
/// the simulator a seeded one.
class SecretSource {
public:
    virtual ~SecretSource() = default;
    virtual void fill(MutableByteView out) = 0;

    /// `length` characters of [A-Za-z0-9]; 5.95 bits each.
    std::string alphanumeric(std::size_t length);
};

/// Deterministic secrets, for tests and the simulator only.
class SeededSecretSource final : public SecretSource {
public:
    explicit SeededSecretSource(std::uint64_t seed) : rng_(seed) {}
    void fill(MutableByteView out) override;

private:
    Rng rng_;
};

}  // namespace parley
