#include "io/kernel_random.h"

#include <sys/random.h>

#include <array>
#include <cerrno>

#include "base/check.h"

namespace parley::io {

void KernelSecretSource::fill(MutableByteView out) {
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t got = ::getrandom(out.data() + done, out.size() - done, 0);
        if (got < 0 && errno == EINTR) continue;
        PARLEY_CHECK(got > 0);
        done += static_cast<std::size_t>(got);
    }
}

std::uint64_t random_seed() {
    std::array<std::uint8_t, 8> bytes{};
    KernelSecretSource source;
    source.fill(bytes);
    std::uint64_t seed = 0;
    for (const std::uint8_t byte : bytes) seed = seed << 8 | byte;
    return seed;
}

}  // namespace parley::io
