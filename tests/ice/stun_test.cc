#include "ice/stun.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/rng.h"

namespace parley::ice {
namespace {

constexpr char kPassword[] = "VOkJxbRl1RmTxUk/WvJxBt";

// RFC 5769 section 2.1.
const Bytes kRequest = *hex_decode(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
    "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249"
    "c1b571a280280004e57a3bcf");
// Section 2.2.
const Bytes kResponseV4 = *hex_decode(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96");
// Section 2.3.
const Bytes kResponseV6 = *hex_decode(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa"
    "a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c");

TEST(Stun, ReadsTheRequestOfRfc5769) {
    const auto message = parse_stun(kRequest);
    ASSERT_TRUE(message.has_value()) << message.error().what;
    EXPECT_EQ(message->type, StunType::kBindingRequest);
    EXPECT_EQ(message->username, "evtj:h6vY");
    EXPECT_EQ(message->priority, 0x6e0001ffU);
    EXPECT_EQ(message->ice_controlled, 0x932ff9b151263b36U);
    EXPECT_FALSE(message->use_candidate);
    EXPECT_TRUE(message->has_fingerprint);
    EXPECT_TRUE(message->has_integrity(kPassword));
    EXPECT_FALSE(message->has_integrity("VOkJxbRl1RmTxUk/WvJxBT"));
    EXPECT_EQ(local_ufrag_of(kRequest), "evtj");
    EXPECT_TRUE(is_stun(kRequest));
}

TEST(Stun, ReadsTheResponsesOfRfc5769) {
    const auto four = parse_stun(kResponseV4);
    ASSERT_TRUE(four.has_value());
    EXPECT_EQ(four->type, StunType::kBindingSuccess);
    EXPECT_TRUE(four->has_integrity(kPassword));
    EXPECT_EQ(four->xor_mapped_address->to_string(), "192.0.2.1:32853");
    const auto six = parse_stun(kResponseV6);
    ASSERT_TRUE(six.has_value());
    EXPECT_TRUE(six->has_integrity(kPassword));
    EXPECT_EQ(six->xor_mapped_address->to_string(), "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

TEST(Stun, RefusesEveryTruncationAndEveryFlippedBit) {
    for (const Bytes& vector : {kRequest, kResponseV4, kResponseV6}) {
        for (std::size_t size = 0; size < vector.size(); ++size) {
            EXPECT_FALSE(parse_stun(ByteView(vector).first(size)).has_value()) << size;
            (void)local_ufrag_of(ByteView(vector).first(size));
        }
        for (std::size_t bit = 0; bit < vector.size() * 8; ++bit) {
            Bytes changed = vector;
            changed[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
            const auto message = parse_stun(changed);
            EXPECT_FALSE(message.has_value() && message->has_fingerprint && message->has_integrity(kPassword))
                << "bit " << bit;
        }
    }
}

TEST(Stun, ReadsWhatItWrites) {
    Rng rng(5);
    for (int i = 0; i < 500; ++i) {
        TransactionId id{};
        for (auto& b : id) b = static_cast<std::uint8_t>(rng.next_u32());
        SocketAddress address;
        address.port = static_cast<std::uint16_t>(rng.next_u32());
        address.ip = IpAddress::v4(rng.next_u32());
        if (rng.chance(0.5)) {
            for (auto& b : address.ip.bytes) b = static_cast<std::uint8_t>(rng.next_u32());
        }
        const std::string user(rng.below(60), 'u');
        const std::string password(1 + rng.below(40), 'p');
        const std::uint64_t tie_breaker = rng.next_u64();
        const auto priority = rng.next_u32();
        StunWriter writer(StunType::kBindingRequest, id);
        writer.username(user);
        writer.priority(priority);
        writer.ice_controlling(tie_breaker);
        writer.use_candidate();
        writer.xor_mapped_address(address);
        writer.error_code(487, "Role Conflict");
        const Bytes bytes = writer.finish(password);
        const auto message = parse_stun(bytes);
        ASSERT_TRUE(message.has_value()) << message.error().what;
        EXPECT_EQ(message->transaction_id, id);
        EXPECT_EQ(message->username, user);
        EXPECT_EQ(message->priority, priority);
        EXPECT_EQ(message->ice_controlling, tie_breaker);
        EXPECT_TRUE(message->use_candidate);
        EXPECT_EQ(message->xor_mapped_address, address);
        EXPECT_EQ(message->error_code, 487);
        EXPECT_TRUE(message->has_integrity(password));
        EXPECT_FALSE(message->has_integrity(password + "x"));
    }
}

// RFC 8489 section 14: of attributes that come twice only the first is to be processed. Found by the fuzz
// target: finding the peer went by the first USERNAME, checking it by the last.
TEST(Stun, OfTwoUsernamesTheFirstCounts) {
    StunWriter writer(StunType::kBindingRequest, TransactionId{1});
    writer.username("");
    writer.username("second:them");
    EXPECT_EQ(parse_stun(writer.finish(kPassword))->username, "");
    StunWriter other(StunType::kBindingRequest, TransactionId{1});
    other.username("first:them");
    other.username("second:them");
    const Bytes bytes = other.finish(kPassword);
    EXPECT_EQ(parse_stun(bytes)->username, "first:them");
    EXPECT_EQ(local_ufrag_of(bytes), "first");
}

TEST(Stun, BoundsWhatItReads) {
    Bytes huge(kMaxStunSize + 4, 0);
    store_u16(huge.data() + 2, static_cast<std::uint16_t>(huge.size() - kStunHeaderSize));
    store_u32(huge.data() + 4, kMagicCookie);
    EXPECT_EQ(parse_stun(huge).error().code, Errc::kTooLarge);
    Bytes many(kStunHeaderSize + 40 * 4, 0);
    store_u16(many.data(), 1);
    store_u16(many.data() + 2, 160);
    store_u32(many.data() + 4, kMagicCookie);
    for (std::size_t i = 0; i < 40; ++i) store_u16(many.data() + kStunHeaderSize + i * 4, 0x8055);
    EXPECT_EQ(parse_stun(many).error().code, Errc::kTooLarge) << "at most 32 attributes";
}

}  // namespace
}  // namespace parley::ice
