// libsrtp2 is a second, independent implementation: what one seals, the other must open.
#include <gtest/gtest.h>
#include <srtp2/srtp.h>

#include <algorithm>
#include <memory>

#include "support.h"

namespace parley::srtp {
namespace {

using test::random_bytes;
using test::rtp_header;

class Oracle {
public:
    Oracle(Profile profile, const MasterKey& master, bool outbound) {
        static const bool ready = srtp_init() == srtp_err_status_ok;
        EXPECT_TRUE(ready);
        srtp_policy_t policy{};
        if (profile == Profile::kAeadAes128Gcm) {
            srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
            srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
        } else {
            srtp_crypto_policy_set_rtp_default(&policy.rtp);
            srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
        }
        policy.ssrc.type = outbound ? ssrc_any_outbound : ssrc_any_inbound;
        std::copy(master.key.begin(), master.key.end(), key_.begin());
        std::copy_n(master.salt.begin(), salt_size(profile), key_.begin() + 16);
        policy.key = key_.data();
        policy.window_size = 1024;
        policy.allow_repeat_tx = 1;
        EXPECT_EQ(srtp_create(&session_, &policy), srtp_err_status_ok);
    }
    ~Oracle() { srtp_dealloc(session_); }
    Oracle(const Oracle&) = delete;
    Oracle& operator=(const Oracle&) = delete;

    Bytes run(srtp_err_status_t (*function)(srtp_t, void*, int*), ByteView input) {
        Bytes packet = to_bytes(input);
        packet.resize(input.size() + SRTP_MAX_TRAILER_LEN);
        int size = static_cast<int>(input.size());
        const srtp_err_status_t status = function(session_, packet.data(), &size);
        if (status != srtp_err_status_ok) return {};
        packet.resize(static_cast<std::size_t>(size));
        return packet;
    }
    Bytes protect(ByteView plain) { return run(srtp_protect, plain); }
    Bytes unprotect(ByteView sealed) { return run(srtp_unprotect, sealed); }
    Bytes protect_rtcp(ByteView plain) { return run(srtp_protect_rtcp, plain); }
    Bytes unprotect_rtcp(ByteView sealed) { return run(srtp_unprotect_rtcp, sealed); }

private:
    std::array<std::uint8_t, SRTP_MAX_KEY_LEN> key_{};
    srtp_t session_ = nullptr;
};

class WithLibsrtp : public testing::TestWithParam<test::Variant> {
protected:
    void SetUp() override {
        if (!test::is_available(GetParam().backend)) GTEST_SKIP() << "back-end not in this processor";
    }
    Rng rng_{11};
    MasterKey key_ = test::random_key(rng_);
};
INSTANTIATE_TEST_SUITE_P(Variants, WithLibsrtp, testing::ValuesIn(test::kVariants),
                         [](const auto& test_case) { return test::name_of(test_case.param); });

/// Indexes of a stream that loses, reorders and wraps, starting close to the first rollover. Each comes once.
std::vector<std::uint64_t> stormy_indexes(Rng& rng, std::uint64_t first, std::size_t count) {
    std::vector<std::uint64_t> indexes{first};
    std::uint64_t index = first;
    while (indexes.size() < count) indexes.push_back(index += 1 + (rng.chance(0.1) ? rng.below(400) : 0));
    for (std::size_t i = 1; i + 1 < indexes.size(); ++i) {
        if (rng.chance(0.3)) std::swap(indexes[i], indexes[i + 1]);
    }
    return indexes;
}

TEST_P(WithLibsrtp, OpensWhatWeSeal) {
    Sender sender = Sender::create(GetParam().profile, key_, GetParam().backend).value();
    Oracle oracle(GetParam().profile, key_, false);
    for (const std::uint64_t index : stormy_indexes(rng_, 65530, 6000)) {
        const Bytes header = rtp_header({.ssrc = 77,
                                         .sequence_number = static_cast<std::uint16_t>(index),
                                         .csrc_count = rng_.below(3),
                                         .extension_words = rng_.below(4)});
        const Bytes payload = random_bytes(rng_, 1 + rng_.below(300));
        const Bytes opened = oracle.unprotect(test::protect(sender, header, payload, index));
        ASSERT_EQ(opened.size(), header.size() + payload.size()) << index;
        EXPECT_TRUE(std::equal(payload.begin(), payload.end(), opened.begin() + std::ptrdiff_t(header.size())));
    }
}

TEST_P(WithLibsrtp, SealsWhatWeOpen) {
    Receiver receiver = Receiver::create(GetParam().profile, key_, GetParam().backend).value();
    Oracle oracle(GetParam().profile, key_, true);
    for (const std::uint64_t index : stormy_indexes(rng_, 65530, 6000)) {
        Bytes plain = rtp_header({.ssrc = 77,
                                  .sequence_number = static_cast<std::uint16_t>(index),
                                  .csrc_count = rng_.below(3),
                                  .extension_words = rng_.below(4)});
        const std::size_t header_size = plain.size();
        const Bytes payload = random_bytes(rng_, 1 + rng_.below(300));
        plain.insert(plain.end(), payload.begin(), payload.end());
        Bytes sealed = oracle.protect(plain);
        ASSERT_FALSE(sealed.empty()) << index;
        const auto opened = receiver.unprotect_rtp(sealed, header_size);
        ASSERT_TRUE(opened.has_value()) << index;
        EXPECT_EQ(opened->index, index);
        sealed.resize(opened->size);
        EXPECT_EQ(sealed, plain);
    }
}

TEST_P(WithLibsrtp, RtcpBothWays) {
    Sender sender = Sender::create(GetParam().profile, key_, GetParam().backend).value();
    Receiver receiver = Receiver::create(GetParam().profile, key_, GetParam().backend).value();
    Oracle inbound(GetParam().profile, key_, false);
    Oracle outbound(GetParam().profile, key_, true);
    for (int i = 0; i < 500; ++i) {
        Bytes plain = test::receiver_report(static_cast<std::uint32_t>(1 + rng_.below(5)), rng_.below(30));
        for (std::size_t at = 8; at < plain.size(); ++at) plain[at] = static_cast<std::uint8_t>(rng_.next_u32());
        EXPECT_EQ(inbound.unprotect_rtcp(test::protect_rtcp(sender, plain)), plain);
        Bytes sealed = outbound.protect_rtcp(plain);
        ASSERT_FALSE(sealed.empty());
        const auto size = receiver.unprotect_rtcp(sealed);
        ASSERT_TRUE(size.has_value());
        sealed.resize(*size);
        EXPECT_EQ(sealed, plain);
    }
}

}  // namespace
}  // namespace parley::srtp
