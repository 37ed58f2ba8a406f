#include "srtp/packet_transform.h"

#ifdef PARLEY_HAVE_IPSEC_MB
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include "base/check.h"
#endif

namespace parley::srtp {

#ifdef PARLEY_HAVE_IPSEC_MB
namespace {

struct ManagerDeleter {
    void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
using Manager = std::unique_ptr<IMB_MGR, ManagerDeleter>;

/// Null without AES-NI and carry-less multiplication: the library's emulation is slower than OpenSSL.
Manager make_manager() {
    Manager manager(alloc_mb_mgr(0));
    if (!manager) return nullptr;
    IMB_ARCH arch = IMB_ARCH_NONE;
    init_mb_mgr_auto(manager.get(), &arch);
    constexpr std::uint64_t kNeeded = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
    if (arch == IMB_ARCH_NONE || (manager->features & kNeeded) != kNeeded) return nullptr;
    return manager;
}

/// The manager is mostly a table of functions chosen for the processor, but some calls write to it, and its
/// error number too. So each thread has its own (200 KB), which keeps a transform usable on any thread.
IMB_MGR* thread_manager() {
    thread_local const Manager manager = make_manager();
    return manager.get();
}

struct alignas(64) GcmKey {
    gcm_key_data data{};

    GcmKey() = default;
    GcmKey(const GcmKey&) = delete;
    GcmKey& operator=(const GcmKey&) = delete;
    ~GcmKey() { OPENSSL_cleanse(&data, sizeof(data)); }
};

void seal_with(IMB_MGR* manager, const GcmKey& key, const GcmSalt::Iv& iv, ByteView aad,
               const std::uint8_t* from, std::size_t size, std::uint8_t* to, std::uint8_t* tag) {
    gcm_context_data context{};
    IMB_AES128_GCM_ENC(manager, &key.data, &context, to, from, size, iv.data(), aad.data(), aad.size(), tag,
                       kGcmTagSize);
}

bool open_with(IMB_MGR* manager, const GcmKey& key, const GcmSalt::Iv& iv, ByteView aad, std::uint8_t* data,
               std::size_t size, const std::uint8_t* tag) {
    gcm_context_data context{};
    std::array<std::uint8_t, kGcmTagSize> computed{};
    IMB_AES128_GCM_DEC(manager, &key.data, &context, data, data, size, iv.data(), aad.data(), aad.size(),
                       computed.data(), computed.size());
    return constant_time_equal(computed, {tag, kGcmTagSize});
}

/// For RTP: round keys and 48 powers of the hash key are kept, one kilobyte.
class ImbGcm {
public:
    explicit ImbGcm(const SessionKeys& keys) {
        IMB_AES128_GCM_PRE(thread_manager(), keys.cipher.data(), &key_.data);
    }
    void seal(const GcmSalt::Iv& iv, ByteView aad, const std::uint8_t* from, std::size_t size,
              std::uint8_t* to, std::uint8_t* tag) {
        seal_with(thread_manager(), key_, iv, aad, from, size, to, tag);
    }
    bool open(const GcmSalt::Iv& iv, ByteView aad, std::uint8_t* data, std::size_t size,
              const std::uint8_t* tag) {
        return open_with(thread_manager(), key_, iv, aad, data, size, tag);
    }

private:
    GcmKey key_;
};

/// For RTCP: a few packets a second are not worth a kilobyte, so the key is expanded for each packet
/// (`bench/srtp_bench` shows what that costs).
class ImbCompactGcm {
public:
    explicit ImbCompactGcm(const SessionKeys& keys) : key_(keys.cipher) {}
    ~ImbCompactGcm() { OPENSSL_cleanse(key_.data(), key_.size()); }

    void seal(const GcmSalt::Iv& iv, ByteView aad, const std::uint8_t* from, std::size_t size,
              std::uint8_t* to, std::uint8_t* tag) {
        GcmKey key;
        IMB_AES128_GCM_PRE(thread_manager(), key_.data(), &key.data);
        seal_with(thread_manager(), key, iv, aad, from, size, to, tag);
    }
    bool open(const GcmSalt::Iv& iv, ByteView aad, std::uint8_t* data, std::size_t size,
              const std::uint8_t* tag) {
        GcmKey key;
        IMB_AES128_GCM_PRE(thread_manager(), key_.data(), &key.data);
        return open_with(thread_manager(), key, iv, aad, data, size, tag);
    }

private:
    std::array<std::uint8_t, 16> key_;
};

class ImbCtr {
public:
    explicit ImbCtr(const SessionKeys& keys) {
        alignas(16) std::array<std::uint8_t, 11 * 16> decryption_keys{};
        IMB_AES_KEYEXP_128(thread_manager(), keys.cipher.data(), round_keys_.data(), decryption_keys.data());
        OPENSSL_cleanse(decryption_keys.data(), decryption_keys.size());
    }
    ~ImbCtr() { OPENSSL_cleanse(round_keys_.data(), round_keys_.size()); }
    ImbCtr(const ImbCtr&) = delete;
    ImbCtr& operator=(const ImbCtr&) = delete;

    void apply(const CmSalt::Iv& iv, const std::uint8_t* from, std::size_t size, std::uint8_t* to) {
        IMB_JOB job{};
        job.enc_keys = round_keys_.data();
        job.dec_keys = round_keys_.data();
        job.key_len_in_bytes = IMB_KEY_128_BYTES;
        job.src = from;
        job.dst = to;
        job.msg_len_to_cipher_in_bytes = size;
        job.iv = iv.data();
        job.iv_len_in_bytes = iv.size();
        job.cipher_mode = IMB_CIPHER_CNTR;
        job.cipher_direction = IMB_DIR_ENCRYPT;
        const std::uint32_t done = IMB_SUBMIT_CIPHER_BURST_NOCHECK(
            thread_manager(), &job, 1, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT, IMB_KEY_128_BYTES);
        PARLEY_DCHECK(done == 1);
        (void)done;
    }

private:
    alignas(16) std::array<std::uint8_t, 11 * 16> round_keys_{};
};

}  // namespace

std::unique_ptr<Transform> create_ipsec_mb_transform(Profile profile, const SessionKeySet& keys) {
    if (thread_manager() == nullptr) return nullptr;
    if (profile == Profile::kAeadAes128Gcm) return std::make_unique<GcmTransform<ImbGcm, ImbCompactGcm>>(keys);
    return std::make_unique<CmTransform<ImbCtr>>(keys);
}

#else

std::unique_ptr<Transform> create_ipsec_mb_transform(Profile, const SessionKeySet&) { return nullptr; }

#endif

}  // namespace parley::srtp
