// Two receivers (one for each back-end) see the same stream: arbitrary bytes, and valid packets with or
// without a change. They must agree, open every fresh valid packet and refuse every changed one.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "srtp/session.h"

namespace {

using namespace parley;
using namespace parley::srtp;

template <class T>
bool same(const Result<T>& a, const Result<T>& b) {
    return a.has_value() == b.has_value() && (a.has_value() || a.error() == b.error());
}

struct Both {
    Both(Profile profile, const MasterKey& key)
        : first(Receiver::create(profile, key, Backend::kAuto).value()),
          second(Receiver::create(profile, key, Backend::kOpenSsl).value()) {}

    Result<UnprotectedRtp> rtp(const Bytes& packet, std::size_t header_size, Bytes& opened) {
        opened = packet;
        Bytes other = packet;
        const auto a = first.unprotect_rtp(opened, header_size);
        const auto b = second.unprotect_rtp(other, header_size);
        PARLEY_CHECK(same(a, b));
        if (a) {
            PARLEY_CHECK(a->index == b->index && a->size == b->size && a->size <= packet.size());
            opened.resize(a->size);
            PARLEY_CHECK(std::equal(opened.begin(), opened.end(), other.begin()));
        }
        return a;
    }
    Result<std::size_t> rtcp(const Bytes& packet, Bytes& opened) {
        opened = packet;
        Bytes other = packet;
        const auto a = first.unprotect_rtcp(opened);
        const auto b = second.unprotect_rtcp(other);
        PARLEY_CHECK(same(a, b));
        if (a) {
            opened.resize(*a);
            PARLEY_CHECK(*a == *b && std::equal(opened.begin(), opened.end(), other.begin()));
        }
        return a;
    }

    Receiver first;
    Receiver second;
};

/// Returns whether anything changed.
bool mutate(ByteReader& in, Bytes& packet) {
    const Bytes before = packet;
    const std::uint8_t how = in.u8();
    if ((how & 3) == 0) return false;
    if ((how & 3) == 1) packet.resize(in.u16() % (packet.size() + 1));
    if ((how & 3) == 2 && !packet.empty()) packet[in.u16() % packet.size()] ^= in.u8();
    if ((how & 3) == 3) packet.push_back(in.u8());
    return packet != before;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader in({data, size});
    const Profile profile = (in.u8() & 1) != 0 ? Profile::kAeadAes128Gcm : Profile::kAes128CmHmacSha1_80;
    MasterKey key;
    key.key[0] = in.u8();
    Sender sender = Sender::create(profile, key).value();
    Both receivers(profile, key);
    std::uint64_t index = in.u16();
    Bytes opened;

    for (int step = 0; step < 64 && in.remaining() > 0; ++step) {
        switch (in.u8() % 4) {
            case 0: {  // arbitrary bytes: nobody has the key, so nothing opens
                const std::size_t header_size = in.u8() % 80;
                const Bytes packet = to_bytes(in.view(std::min<std::size_t>(in.u8(), in.remaining())));
                (void)receivers.rtp(packet, header_size, opened);
                (void)receivers.rtcp(packet, opened);
                break;
            }
            case 1:
            case 2: {
                index += in.u8() % 64 + 1;
                const Bytes payload(in.u8(), 0x5a);
                Bytes plain(12);
                plain[0] = 0x80;
                store_u16(plain.data() + 2, static_cast<std::uint16_t>(index));
                plain.insert(plain.end(), payload.begin(), payload.end());
                Bytes sealed = plain;
                sealed.resize(plain.size() + rtp_overhead(profile));
                PARLEY_CHECK(sender.protect_rtp(sealed.data(), 12, payload, index) == sealed.size());
                Bytes changed = sealed;
                if (mutate(in, changed)) {
                    PARLEY_CHECK(!receivers.rtp(changed, 12, opened).has_value());
                }
                const auto result = receivers.rtp(sealed, 12, opened);
                // The first packet sets the round; a later start would be a different round for the receiver.
                if (index > 0xffff && !result) return 0;
                PARLEY_CHECK(result.has_value() && result->index == index && opened == plain);
                PARLEY_CHECK(receivers.rtp(sealed, 12, opened).error().code == Errc::kReplayed);
                break;
            }
            default: {
                Bytes plain(8 + in.u8());
                plain[0] = 0x80;
                plain[1] = 200;
                store_u32(plain.data() + 4, in.u8() % 8);
                Bytes sealed = plain;
                sealed.resize(plain.size() + rtcp_overhead(profile));
                PARLEY_CHECK(sender.protect_rtcp(sealed.data(), plain.size()) == sealed.size());
                Bytes changed = sealed;
                if (mutate(in, changed)) {
                    PARLEY_CHECK(!receivers.rtcp(changed, opened).has_value());
                }
                PARLEY_CHECK(receivers.rtcp(sealed, opened).has_value() && opened == plain);
                PARLEY_CHECK(receivers.rtcp(sealed, opened).error().code == Errc::kReplayed);
                break;
            }
        }
    }
    return 0;
}
