#include "srtp/hmac_sha1.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace parley::srtp {
namespace {

constexpr std::size_t kBlockSize = 64;

std::array<std::uint32_t, 5> state_after_key_block(const std::array<std::uint8_t, 20>& key,
                                                   std::uint8_t pad) {
    std::array<std::uint8_t, kBlockSize> block{};
    block.fill(pad);
    for (std::size_t i = 0; i < key.size(); ++i) block[i] = static_cast<std::uint8_t>(key[i] ^ pad);
    SHA_CTX context;
    SHA1_Init(&context);
    SHA1_Update(&context, block.data(), block.size());
    OPENSSL_cleanse(block.data(), block.size());
    return {context.h0, context.h1, context.h2, context.h3, context.h4};
}

/// A context that has taken exactly one block and stands at `state`.
SHA_CTX resume(const std::array<std::uint32_t, 5>& state) {
    SHA_CTX context;
    SHA1_Init(&context);
    context.h0 = state[0];
    context.h1 = state[1];
    context.h2 = state[2];
    context.h3 = state[3];
    context.h4 = state[4];
    context.Nl = kBlockSize * 8;
    return context;
}

}  // namespace

HmacSha1::HmacSha1(const std::array<std::uint8_t, 20>& key)
    : inner_(state_after_key_block(key, 0x36)), outer_(state_after_key_block(key, 0x5c)) {}

HmacSha1::~HmacSha1() {
    OPENSSL_cleanse(inner_.data(), sizeof(inner_));
    OPENSSL_cleanse(outer_.data(), sizeof(outer_));
}

HmacSha1::Digest HmacSha1::compute(ByteView message, ByteView trailer) const {
    Digest digest;
    SHA_CTX context = resume(inner_);
    SHA1_Update(&context, message.data(), message.size());
    SHA1_Update(&context, trailer.data(), trailer.size());
    SHA1_Final(digest.data(), &context);
    context = resume(outer_);
    SHA1_Update(&context, digest.data(), digest.size());
    SHA1_Final(digest.data(), &context);
    return digest;
}

}  // namespace parley::srtp
