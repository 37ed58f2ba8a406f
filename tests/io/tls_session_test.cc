#include "io/tls_session.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "base/rng.h"
#include "io/fd.h"

namespace parley::io {
namespace {

std::shared_ptr<const TlsContext> make_context() {
    const auto made = make_self_signed_certificate({"localhost"}, 2);
    const std::string certificate = ::testing::TempDir() + "/tls_session_cert.pem";
    const std::string key = ::testing::TempDir() + "/tls_session_key.pem";
    std::ofstream(certificate) << made->certificate_pem;
    std::ofstream(key) << made->key_pem;
    return TlsContext::load(certificate, key).value();
}

/// OpenSSL's own client at the other end of a socket pair; neither end blocks.
class TlsPair : public ::testing::TestWithParam<int> {
protected:
    void SetUp() override {
        std::array<int, 2> ends{};
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
        ours_ = Fd(ends[0]);
        theirs_ = Fd(ends[1]);
        session_ = TlsSession::accept(*context_, ours_.get());
        ASSERT_TRUE(session_);
        client_context_ = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_max_proto_version(client_context_, GetParam());
        client_ = SSL_new(client_context_);
        SSL_set_fd(client_, theirs_.get());
        SSL_set_connect_state(client_);
    }
    void TearDown() override {
        SSL_free(client_);
        SSL_CTX_free(client_context_);
    }

    void shake_hands() {
        for (int i = 0; i < 20 && !session_->is_ready(); ++i) {
            SSL_do_handshake(client_);
            ASSERT_NE(session_->handshake(), IoState::kClosed);
        }
        ASSERT_EQ(SSL_do_handshake(client_), 1);
        // Tickets that came after the handshake.
        std::uint8_t none = 0;
        SSL_peek(client_, &none, 1);
    }
    std::string client_reads() {
        std::string out;
        std::array<char, 4096> chunk;
        for (int got = 0; (got = SSL_read(client_, chunk.data(), chunk.size())) > 0;) {
            out.append(chunk.data(), static_cast<std::size_t>(got));
        }
        return out;
    }
    IoResult write(std::string_view text) {
        const ByteView piece = as_bytes_view(text);
        return session_->write({&piece, 1});
    }

    const std::shared_ptr<const TlsContext> context_ = make_context();
    Fd ours_;
    Fd theirs_;
    std::unique_ptr<TlsSession> session_;
    SSL_CTX* client_context_ = nullptr;
    SSL* client_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Versions, TlsPair, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST_P(TlsPair, PiecesOfAnySizeArriveInOrderThroughASocketThatIsFull) {
    shake_hands();
    const int small = 4096;
    ::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    Rng rng(7);
    Bytes all(1'000'000);
    for (auto& byte : all) byte = static_cast<std::uint8_t>(rng.next_u32());
    std::string received;
    std::size_t sent = 0;
    bool blocked = false;
    while (received.size() < all.size()) {
        if (sent < all.size()) {
            // A copy at another address each time: only the bytes have to be the same after
            // kBlocked.
            const Bytes rest(all.begin() + static_cast<std::ptrdiff_t>(sent), all.end());
            std::array<ByteView, 12> pieces;
            std::size_t at = 0;
            for (ByteView& piece : pieces) {
                const std::size_t size = blocked ? 40'000 : rng.next_u32() % 9000;
                piece = ByteView(rest).subspan(at, std::min(size, rest.size() - at));
                at += piece.size();
            }
            const IoResult result = session_->write(pieces);
            ASSERT_NE(result.state, IoState::kClosed);
            blocked = result.state == IoState::kBlocked;
            EXPECT_TRUE(!blocked || session_->waits_for_write());
            sent += result.bytes;
            if (!blocked) continue;
        }
        received += client_reads();
    }
    EXPECT_TRUE(std::equal(all.begin(), all.end(), as_bytes_view(received).begin()));
}

// RFC 8446 section 4.6.3.
TEST_P(TlsPair, AClientMayAskForNewKeys) {
    if (GetParam() != TLS1_3_VERSION) return;
    shake_hands();
    std::array<std::uint8_t, 5> into{};
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(SSL_key_update(client_, SSL_KEY_UPDATE_REQUESTED), 1);
        ASSERT_EQ(SSL_write(client_, "on", 2), 2);
        IoResult got = session_->read(into);
        if (got.state == IoState::kBlocked) got = session_->read(into);
        EXPECT_EQ(got.bytes, 2u);
        EXPECT_EQ(write("more").bytes, 4u);
        EXPECT_EQ(client_reads(), "more");
    }
}

TEST_P(TlsPair, AClientMayAskForNewKeysWhileTheSocketIsFull) {
    if (GetParam() != TLS1_3_VERSION) return;
    shake_hands();
    const int small = 4096;
    ::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    const std::string record(9000, 'r');
    std::size_t sent = 0;
    IoResult result;
    while ((result = write(record)).state == IoState::kDone) sent += result.bytes;
    ASSERT_EQ(result.state, IoState::kBlocked);
    ASSERT_EQ(SSL_key_update(client_, SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(client_), 1);
    std::array<std::uint8_t, 5> into{};
    EXPECT_EQ(session_->read(into).state, IoState::kBlocked) << "answered behind what waits";
    const std::string received = client_reads();
    EXPECT_EQ(received.size(), sent);
    result = write(record);
    EXPECT_EQ(result.state, IoState::kDone);
    EXPECT_EQ(client_reads().size(), record.size());
    ASSERT_EQ(SSL_write(client_, "on", 2), 2);
    EXPECT_EQ(session_->read(into).bytes, 2u);
}

TEST_P(TlsPair, ARecordIsReadInPartsAndTheRestIsPending) {
    shake_hands();
    ASSERT_EQ(SSL_write(client_, "hello, world", 12), 12);
    std::array<std::uint8_t, 5> into{};
    EXPECT_EQ(session_->read(into).bytes, 5u);
    EXPECT_TRUE(session_->has_pending());
    EXPECT_EQ(session_->read(into).bytes, 5u);
    EXPECT_EQ(session_->read(into).bytes, 2u);
    EXPECT_FALSE(session_->has_pending());
    EXPECT_EQ(session_->read(into).state, IoState::kBlocked);
    EXPECT_FALSE(session_->waits_for_write());
}

TEST_P(TlsPair, AClientThatSaysGoodbyeStillReceives) {
    shake_hands();
    ASSERT_GE(SSL_shutdown(client_), 0);
    std::array<std::uint8_t, 5> into{};
    EXPECT_EQ(session_->read(into).state, IoState::kEnded);
    EXPECT_EQ(write("more").bytes, 4u);
    EXPECT_EQ(client_reads(), "more");
}

TEST_P(TlsPair, SoDoesOneThatOnlyEndsItsTcpStream) {
    shake_hands();
    ::shutdown(theirs_.get(), SHUT_WR);
    std::array<std::uint8_t, 5> into{};
    EXPECT_EQ(session_->read(into).state, IoState::kEnded);
    EXPECT_EQ(write("more").bytes, 4u);
    EXPECT_EQ(client_reads(), "more");
}

TEST_P(TlsPair, OurGoodbyeIsToldFromACutConnection) {
    shake_hands();
    EXPECT_EQ(session_->close(), IoState::kDone);
    EXPECT_EQ(client_reads(), "");
    EXPECT_EQ(SSL_get_shutdown(client_) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

TEST_P(TlsPair, GarbageEndsItAtEveryStage) {
    const std::string garbage(100, 'x');
    ASSERT_EQ(::send(theirs_.get(), garbage.data(), garbage.size(), 0), 100);
    EXPECT_EQ(session_->handshake(), IoState::kClosed);
    EXPECT_EQ(session_->handshake(), IoState::kClosed) << "and it stays so";
    std::array<std::uint8_t, 5> into{};
    EXPECT_EQ(session_->read(into).state, IoState::kClosed);
    EXPECT_EQ(write("x").state, IoState::kClosed);
    EXPECT_EQ(session_->close(), IoState::kClosed);

    TearDown();
    SetUp();
    shake_hands();
    ASSERT_EQ(::send(theirs_.get(), garbage.data(), garbage.size(), 0), 100);
    EXPECT_EQ(session_->read(into).state, IoState::kClosed);
    EXPECT_EQ(write("x").state, IoState::kClosed);
}

TEST_P(TlsPair, APeerThatHasGoneIsNoSignal) {
    shake_hands();
    theirs_ = Fd();
    IoResult result = write("x");
    for (int i = 0; i < 3 && result.state == IoState::kDone; ++i) result = write("x");
    EXPECT_EQ(result.state, IoState::kClosed);
}

}  // namespace
}  // namespace parley::io
