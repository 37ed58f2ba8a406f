// Nanoseconds for each 1,200-byte packet: both profiles, both back-ends, and libsrtp2 for comparison.
#include <benchmark/benchmark.h>

#include <array>
#include <cstring>
#include <vector>

#include "srtp/session.h"

#ifdef PARLEY_HAVE_LIBSRTP2
#include <srtp2/srtp.h>
#endif

namespace parley::srtp {
namespace {

constexpr std::size_t kPayloadSize = 1200;
constexpr std::size_t kHeaderSize = 20;  // with one 8-byte header extension
constexpr std::uint32_t kSsrc = 0x1234;

void write_header(std::uint8_t* packet, std::uint16_t sequence_number) {
    std::memset(packet, 0, kHeaderSize);
    packet[0] = 0x90;
    packet[1] = 96;
    store_u16(packet + 2, sequence_number);
    store_u32(packet + 8, kSsrc);
    store_u16(packet + 12, 0xbede);
    store_u16(packet + 14, 1);
}

MasterKey some_key() {
    MasterKey key;
    for (std::size_t i = 0; i < key.key.size(); ++i) key.key[i] = static_cast<std::uint8_t>(i * 7);
    return key;
}

void protect_rtp(benchmark::State& state, Profile profile, Backend backend) {
    auto sender = Sender::create(profile, some_key(), backend);
    if (!sender) return state.SkipWithError("back-end not in this processor");
    const std::vector<std::uint8_t> payload(kPayloadSize, 0x5a);
    std::vector<std::uint8_t> packet(kHeaderSize + kPayloadSize + kMaxOverhead);
    std::uint64_t index = 0;
    for (auto _ : state) {
        ++index;
        write_header(packet.data(), static_cast<std::uint16_t>(index));
        benchmark::DoNotOptimize(sender->protect_rtp(packet.data(), kHeaderSize, payload, index));
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kPayloadSize));
}

void unprotect_rtp(benchmark::State& state, Profile profile, Backend backend) {
    auto sender = Sender::create(profile, some_key(), backend);
    auto receiver = Receiver::create(profile, some_key(), backend);
    if (!sender || !receiver) return state.SkipWithError("back-end not in this processor");
    // As many packets as one measured batch opens, so that none is a replay and sealing is not measured.
    constexpr std::size_t kBatch = 512;
    const std::vector<std::uint8_t> payload(kPayloadSize, 0x5a);
    std::vector<std::array<std::uint8_t, kHeaderSize + kPayloadSize + kMaxOverhead>> packets(kBatch);
    std::uint64_t index = 0;
    std::size_t size = 0;
    std::size_t at = kBatch;
    for (auto _ : state) {
        if (at == kBatch) {
            state.PauseTiming();
            for (auto& packet : packets) {
                ++index;
                write_header(packet.data(), static_cast<std::uint16_t>(index));
                size = sender->protect_rtp(packet.data(), kHeaderSize, payload, index);
            }
            at = 0;
            state.ResumeTiming();
        }
        const auto result = receiver->unprotect_rtp({packets[at++].data(), size}, kHeaderSize);
        if (!result) return state.SkipWithError("packet refused");
    }
}

void protect_rtcp(benchmark::State& state, Profile profile, Backend backend) {
    auto sender = Sender::create(profile, some_key(), backend);
    if (!sender) return state.SkipWithError("back-end not in this processor");
    std::array<std::uint8_t, 64 + kMaxOverhead> packet{};
    for (auto _ : state) benchmark::DoNotOptimize(sender->protect_rtcp(packet.data(), 64));
}

void create_pair(benchmark::State& state, Profile profile, Backend backend) {
    for (auto _ : state) {
        auto sender = Sender::create(profile, some_key(), backend);
        auto receiver = Receiver::create(profile, some_key(), backend);
        if (!sender || !receiver) return state.SkipWithError("back-end not in this processor");
        benchmark::DoNotOptimize(sender);
        benchmark::DoNotOptimize(receiver);
    }
}

constexpr Profile kGcm = Profile::kAeadAes128Gcm;
constexpr Profile kCm = Profile::kAes128CmHmacSha1_80;
#define PARLEY_BENCH_VARIANTS(function)                                    \
    BENCHMARK_CAPTURE(function, gcm_ipsec_mb, kGcm, Backend::kIpsecMb);    \
    BENCHMARK_CAPTURE(function, gcm_openssl, kGcm, Backend::kOpenSsl);     \
    BENCHMARK_CAPTURE(function, cm_sha1_ipsec_mb, kCm, Backend::kIpsecMb); \
    BENCHMARK_CAPTURE(function, cm_sha1_openssl, kCm, Backend::kOpenSsl)

PARLEY_BENCH_VARIANTS(protect_rtp);
PARLEY_BENCH_VARIANTS(unprotect_rtp);
PARLEY_BENCH_VARIANTS(protect_rtcp);
PARLEY_BENCH_VARIANTS(create_pair);

#ifdef PARLEY_HAVE_LIBSRTP2
void libsrtp2_protect_rtp(benchmark::State& state, Profile profile) {
    srtp_init();
    srtp_policy_t policy{};
    if (profile == kGcm) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
    } else {
        srtp_crypto_policy_set_rtp_default(&policy.rtp);
        srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
    }
    std::array<std::uint8_t, 64> key{};
    policy.ssrc.type = ssrc_any_outbound;
    policy.key = key.data();
    policy.window_size = 1024;
    srtp_t session = nullptr;
    if (srtp_create(&session, &policy) != srtp_err_status_ok) return state.SkipWithError("srtp_create");
    const std::vector<std::uint8_t> payload(kPayloadSize, 0x5a);
    std::vector<std::uint8_t> packet(kHeaderSize + kPayloadSize + SRTP_MAX_TRAILER_LEN);
    std::uint16_t sequence_number = 0;
    for (auto _ : state) {
        // The library encrypts in place, so a shared payload has to be copied first.
        write_header(packet.data(), ++sequence_number);
        std::memcpy(packet.data() + kHeaderSize, payload.data(), payload.size());
        int size = static_cast<int>(kHeaderSize + kPayloadSize);
        if (srtp_protect(session, packet.data(), &size) != srtp_err_status_ok) {
            state.SkipWithError("srtp_protect");
            break;
        }
    }
    srtp_dealloc(session);
}
BENCHMARK_CAPTURE(libsrtp2_protect_rtp, gcm, kGcm);
BENCHMARK_CAPTURE(libsrtp2_protect_rtp, cm_sha1, kCm);
#endif

}  // namespace
}  // namespace parley::srtp

BENCHMARK_MAIN();
