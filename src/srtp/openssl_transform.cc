#include <openssl/evp.h>

#include <memory>

#include "base/check.h"
#include "srtp/packet_transform.h"

namespace parley::srtp {
namespace {

struct ContextDeleter {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

// The calls below fail only for arguments that are ours (sizes, modes) or when memory ran out at
// construction, so a failure is a defect and not an input.
Context make_context(const EVP_CIPHER* cipher, const SessionKeys& keys, bool encrypt) {
    Context context(EVP_CIPHER_CTX_new());
    PARLEY_CHECK(context != nullptr);
    PARLEY_CHECK(EVP_CipherInit_ex(context.get(), cipher, nullptr, keys.cipher.data(), nullptr,
                                   encrypt ? 1 : 0) == 1);
    return context;
}

class OpenSslGcm {
public:
    OpenSslGcm(const SessionKeys& keys, Direction direction)
        : context_(make_context(EVP_aes_128_gcm(), keys, direction == Direction::kSeal)) {}

    void seal(const GcmSalt::Iv& iv, ByteView aad, const std::uint8_t* from, std::size_t size,
              std::uint8_t* to, std::uint8_t* tag) {
        int written = 0;
        start(iv, aad);
        if (size > 0) {
            PARLEY_CHECK(EVP_CipherUpdate(context_.get(), to, &written, from, static_cast<int>(size)) == 1);
        }
        PARLEY_CHECK(EVP_CipherFinal_ex(context_.get(), tag, &written) == 1);
        PARLEY_CHECK(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kGcmTagSize, tag) == 1);
    }

    bool open(const GcmSalt::Iv& iv, ByteView aad, std::uint8_t* data, std::size_t size,
              const std::uint8_t* tag) {
        int written = 0;
        std::array<std::uint8_t, kGcmTagSize> expected{};
        std::memcpy(expected.data(), tag, expected.size());
        start(iv, aad);
        if (size > 0) {
            PARLEY_CHECK(EVP_CipherUpdate(context_.get(), data, &written, data, static_cast<int>(size)) == 1);
        }
        PARLEY_CHECK(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kGcmTagSize,
                                         expected.data()) == 1);
        std::array<std::uint8_t, 16> unused{};
        return EVP_CipherFinal_ex(context_.get(), unused.data(), &written) == 1;
    }

private:
    void start(const GcmSalt::Iv& iv, ByteView aad) {
        int written = 0;
        PARLEY_CHECK(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, iv.data(), -1) == 1);
        PARLEY_CHECK(EVP_CipherUpdate(context_.get(), nullptr, &written, aad.data(),
                                      static_cast<int>(aad.size())) == 1);
    }

    Context context_;
};

class OpenSslCtr {
public:
    explicit OpenSslCtr(const SessionKeys& keys) : context_(make_context(EVP_aes_128_ctr(), keys, true)) {}

    void apply(const CmSalt::Iv& iv, const std::uint8_t* from, std::size_t size, std::uint8_t* to) {
        int written = 0;
        PARLEY_CHECK(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, iv.data(), -1) == 1);
        PARLEY_CHECK(EVP_CipherUpdate(context_.get(), to, &written, from, static_cast<int>(size)) == 1);
    }

private:
    Context context_;
};

}  // namespace

std::unique_ptr<Transform> create_openssl_transform(Profile profile, const SessionKeySet& keys,
                                                    Direction direction) {
    if (profile == Profile::kAeadAes128Gcm) {
        return std::make_unique<GcmTransform<OpenSslGcm, OpenSslGcm>>(keys, direction);
    }
    return std::make_unique<CmTransform<OpenSslCtr>>(keys);
}

}  // namespace parley::srtp
