#include "base/rng.h"

#include <bit>

namespace parley {
namespace {

std::uint64_t split_mix(std::uint64_t& state) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

}  // namespace

Rng::Rng(std::uint64_t seed) : state_{} {
    for (std::uint64_t& word : state_) word = split_mix(seed);
}

std::uint64_t Rng::next_u64() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::uint64_t Rng::below(std::uint64_t bound) {
    // Rejection keeps the distribution uniform; the loop runs less than twice on average.
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    for (;;) {
        const std::uint64_t value = next_u64();
        if (value < limit) return value % bound;
    }
}

std::string SecretSource::alphanumeric(std::size_t length) {
    constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    std::string out;
    out.reserve(length);
    while (out.size() < length) {
        std::uint8_t block[64];
        fill(block);
        for (const std::uint8_t byte : block) {
            if (byte >= 248 || out.size() == length) continue;  // 248 = 4 * 62: no bias
            out.push_back(kAlphabet[byte % 62]);
        }
    }
    return out;
}

void SeededSecretSource::fill(MutableByteView out) {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(rng_.next_u64() >> 56);
}

}  // namespace parley
