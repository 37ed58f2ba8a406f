#include "auth/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

namespace parley::auth {
namespace {

template <std::size_t N>
std::array<std::uint8_t, N> hmac(const EVP_MD* hash, ByteView key, ByteView message) {
    std::array<std::uint8_t, N> out{};
    unsigned size = 0;
    // OpenSSL takes a null pointer with length 0 for "keep the last key".
    const std::uint8_t no_key = 0;
    const std::uint8_t* key_data = key.empty() ? &no_key : key.data();
    const std::uint8_t* done = HMAC(hash,
                                    key_data,
                                    static_cast<int>(key.size()),
                                    message.data(),
                                    message.size(),
                                    out.data(),
                                    &size);
    PARLEY_CHECK(done != nullptr && size == N);
    return out;
}

}  // namespace

std::array<std::uint8_t, 20> hmac_sha1(ByteView key, ByteView message) {
    return hmac<20>(EVP_sha1(), key, message);
}

std::array<std::uint8_t, 32> hmac_sha256(ByteView key, ByteView message) {
    return hmac<32>(EVP_sha256(), key, message);
}

}  // namespace parley::auth
