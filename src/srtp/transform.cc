#include "srtp/transform.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cstring>

#include "base/check.h"

namespace parley::srtp {
namespace {

/// RFC 3711 section 4.3.3: the keystream of AES-CM under the master key, with the label xored into the salt.
void derive(const MasterKey& master, std::size_t master_salt_size, std::uint8_t label, MutableByteView out) {
    constexpr std::size_t kLabelAt = 7;
    std::array<std::uint8_t, 16> iv{};
    std::memcpy(iv.data(), master.salt.data(), master_salt_size);
    iv[kLabelAt] ^= label;

    EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
    PARLEY_CHECK(context != nullptr);
    PARLEY_CHECK(EVP_EncryptInit_ex(context, EVP_aes_128_ctr(), nullptr, master.key.data(), iv.data()) == 1);
    std::memset(out.data(), 0, out.size());
    int written = 0;
    PARLEY_CHECK(EVP_EncryptUpdate(context, out.data(), &written, out.data(), static_cast<int>(out.size())) == 1);
    EVP_CIPHER_CTX_free(context);
}

}  // namespace

SessionKeySet derive_session_keys(Profile profile, const MasterKey& master) {
    const std::size_t size = salt_size(profile);
    SessionKeySet keys;
    derive(master, size, 0, keys.rtp.cipher);
    derive(master, size, 1, keys.rtp.authentication);
    derive(master, size, 2, MutableByteView(keys.rtp.salt).first(size));
    derive(master, size, 3, keys.rtcp.cipher);
    derive(master, size, 4, keys.rtcp.authentication);
    derive(master, size, 5, MutableByteView(keys.rtcp.salt).first(size));
    return keys;
}

Result<std::unique_ptr<Transform>> create_transform(Profile profile, const SessionKeySet& keys,
                                                    Direction direction, Backend backend) {
    if (profile != Profile::kAeadAes128Gcm && profile != Profile::kAes128CmHmacSha1_80) {
        return fail(Errc::kUnsupported, "SRTP profile");
    }
    if (backend != Backend::kOpenSsl) {
        if (auto transform = create_ipsec_mb_transform(profile, keys)) return transform;
        if (backend == Backend::kIpsecMb) return fail(Errc::kUnsupported, "SRTP back-end ipsec-mb");
    }
    return create_openssl_transform(profile, keys, direction);
}

}  // namespace parley::srtp
