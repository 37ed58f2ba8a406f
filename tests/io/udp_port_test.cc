#include "io/udp_port.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "io/clock.h"

namespace parley::io {
namespace {

class UdpPortTest : public testing::Test {
protected:
    void SetUp() override {
        std::string detail;
        const std::array loopback{IpAddress::v4(0x7f000001)};
        auto sender = UdpPort::bind(loopback, 0, detail);
        auto receiver = UdpPort::bind(loopback, 0, detail);
        ASSERT_TRUE(sender && receiver) << detail;
        sender_ = std::move(*sender);
        receiver_ = std::move(*receiver);
        to_ = Path{.remote = receiver_.sockets()[0].address};
    }

    /// One commit of `count` segments; segment n is filled with n, the last one has `last` bytes.
    void send(std::size_t count, std::size_t segment, std::size_t last) {
        const std::size_t size = (count - 1) * segment + last;
        std::uint8_t* const out = batch_.reserve(sender_, size);
        for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i / segment);
        batch_.commit(sender_, to_, size, segment);
        batch_.flush(sender_);
    }

    /// What has arrived; loopback delivers within the send call.
    std::vector<Bytes> receive() {
        std::vector<Bytes> out;
        std::array<std::array<std::uint8_t, 2048>, UdpPort::kMaxBatch> memory;
        std::array<MutableByteView, UdpPort::kMaxBatch> buffers;
        for (std::size_t i = 0; i < buffers.size(); ++i) buffers[i] = memory[i];
        std::array<UdpPort::Received, UdpPort::kMaxBatch> received;
        while (true) {
            const std::size_t got = receiver_.receive(0, buffers, received, read_monotonic_clock(), read_wall_clock());
            if (got == 0) return out;
            for (std::size_t i = 0; i < got; ++i) {
                EXPECT_EQ(received[i].from, sender_.sockets()[0].address);
                out.emplace_back(memory[i].begin(), memory[i].begin() + static_cast<std::ptrdiff_t>(received[i].size));
            }
        }
    }

    static void expect_segments(const std::vector<Bytes>& got, std::size_t count, std::size_t segment,
                                std::size_t last) {
        ASSERT_EQ(got.size(), count);
        for (std::size_t i = 0; i < count; ++i) {
            EXPECT_EQ(got[i], Bytes(i + 1 == count ? last : segment, static_cast<std::uint8_t>(i)));
        }
    }

    UdpPort sender_;
    UdpPort receiver_;
    UdpBatch batch_;
    Path to_;
};

TEST_F(UdpPortTest, ARunOfEqualSizesIsOneMessageAndSeveralDatagrams) {
    send(6, 1'200, 700);
    expect_segments(receive(), 6, 1'200, 700);
    EXPECT_EQ(batch_.stats().send_calls, 1u);
    EXPECT_EQ(batch_.stats().datagrams, 6u);
    EXPECT_EQ(batch_.stats().gso_refused, 0u);
}

TEST_F(UdpPortTest, WhoRefusesSegmentationGetsSingleDatagramsFromThenOn) {
    // More segments than any kernel takes in one message stands for a path that cannot segment.
    send(150, 300, 100);
    expect_segments(receive(), 150, 300, 100);
    EXPECT_EQ(batch_.stats().gso_refused, 1u);
    EXPECT_EQ(batch_.stats().dropped, 0u);
    send(3, 1'000, 1'000);
    expect_segments(receive(), 3, 1'000, 1'000);
    EXPECT_EQ(batch_.stats().gso_refused, 1u) << "it was tried again";
    EXPECT_EQ(batch_.stats().send_calls, 150u + 3u);
}

TEST_F(UdpPortTest, AFullBatchIsSentAndLosesNothing) {
    constexpr std::size_t kMany = 3 * UdpBatch::kMaxMessages + 5;
    for (std::size_t i = 0; i < kMany; ++i) {
        std::uint8_t* const out = batch_.reserve(sender_, 100);
        std::fill_n(out, 100, static_cast<std::uint8_t>(i));
        batch_.commit(sender_, to_, 100, 100);
    }
    batch_.flush(sender_);
    const auto got = receive();
    ASSERT_EQ(got.size(), kMany);
    for (std::size_t i = 0; i < kMany; ++i) EXPECT_EQ(got[i], Bytes(100, static_cast<std::uint8_t>(i)));
}

TEST_F(UdpPortTest, IPv6GoesTheSameWay) {
    std::string detail;
    IpAddress loopback{};
    loopback.bytes[15] = 1;
    const std::array addresses{loopback};
    auto sender = UdpPort::bind(addresses, 0, detail);
    if (!sender) {
        // A kernel without IPv6 refuses, and the operator is told why.
        EXPECT_EQ(sender.error().code, Errc::kSystem);
        EXPECT_NE(detail, "");
        return;
    }
    auto receiver = UdpPort::bind(addresses, 0, detail);
    ASSERT_TRUE(receiver.has_value()) << detail;
    sender_ = std::move(*sender);
    receiver_ = std::move(*receiver);
    to_.remote = receiver_.sockets()[0].address;
    send(4, 1'100, 50);
    expect_segments(receive(), 4, 1'100, 50);
}

}  // namespace
}  // namespace parley::io
