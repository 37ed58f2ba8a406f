#include "io/client_hello.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "io/fd.h"
#include "io/tcp_socket.h"

namespace parley::io {
namespace {

/// What OpenSSL's client says first.
Bytes real_hello() {
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    SSL* const client = SSL_new(context);
    BIO* const out = BIO_new(BIO_s_mem());
    SSL_set_bio(client, BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(client);
    SSL_do_handshake(client);
    Bytes hello(4096);
    hello.resize(static_cast<std::size_t>(BIO_read(out, hello.data(), 4096)));
    SSL_free(client);
    SSL_CTX_free(context);
    return hello;
}

Bytes record(ByteView body, std::uint8_t type = 22) {
    Bytes out = {type,
                 3,
                 1,
                 static_cast<std::uint8_t>(body.size() >> 8),
                 static_cast<std::uint8_t>(body.size())};
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

Bytes message(std::size_t size, std::uint8_t type = 1) {
    const std::size_t body = size - 4;
    Bytes out(size);
    out[0] = type;
    out[1] = static_cast<std::uint8_t>(body >> 16);
    out[2] = static_cast<std::uint8_t>(body >> 8);
    out[3] = static_cast<std::uint8_t>(body);
    return out;
}

/// The same message in records of `each` bytes.
Bytes in_records(ByteView hello, std::size_t each) {
    Bytes out;
    for (std::size_t at = 0; at < hello.size(); at += each) {
        const Bytes one = record(hello.subspan(at, std::min(each, hello.size() - at)));
        out.insert(out.end(), one.begin(), one.end());
    }
    return out;
}

// From each prefix it asks for more, never for less than the whole needs, and it gets there.
void expect_found(ByteView bytes) {
    for (std::size_t have = 0; have < bytes.size(); ++have) {
        const auto needs = client_hello_needs(bytes.first(have));
        ASSERT_TRUE(needs) << have;
        ASSERT_GT(*needs, have);
        ASSERT_LE(*needs, bytes.size());
    }
    const auto needs = client_hello_needs(bytes);
    ASSERT_TRUE(needs);
    EXPECT_EQ(*needs, bytes.size());
}

TEST(ClientHello, IsFoundHoweverItIsCutIntoRecords) {
    const Bytes hello = real_hello();
    expect_found(hello);
    const ByteView inside = ByteView(hello).subspan(5);
    for (const std::size_t each : {std::size_t{1}, std::size_t{3}, std::size_t{100}}) {
        expect_found(in_records(inside, each));
    }
    // What follows is not looked at.
    Bytes more = hello;
    more.resize(more.size() + 100);
    EXPECT_EQ(client_hello_needs(more).value(), hello.size());
}

TEST(ClientHello, WhatIsNoneIsRefusedAtOnce) {
    const auto error = [](ByteView bytes) { return client_hello_needs(bytes).error().code; };
    EXPECT_EQ(error(Bytes{3, 0, 0, 0, 0}), Errc::kMalformed) << "RTMP without TLS";
    EXPECT_EQ(error(as_bytes_view("GET / HTTP/1.1\r\n")), Errc::kMalformed);
    EXPECT_EQ(error(record(Bytes{})), Errc::kMalformed);
    EXPECT_EQ(error(record(message(50), 23)), Errc::kMalformed);
    EXPECT_EQ(error(record(message(50, 2))), Errc::kMalformed);
    Bytes two = message(50);
    two.push_back(1);
    EXPECT_EQ(error(record(two)), Errc::kMalformed);
    // Bounds: what is promised counts, not what has come.
    EXPECT_EQ(error(record(message(kMaxClientHello + 1))), Errc::kTooLarge);
    EXPECT_EQ(error(ByteView(record(message(60'000))).first(9)), Errc::kTooLarge);
    EXPECT_EQ(error(in_records(message(4000), 1)), Errc::kTooLarge) << "in headers";
    EXPECT_TRUE(client_hello_needs(record(message(kMaxClientHello - 5))));
}

class HelloOnSocket : public ::testing::Test {
protected:
    void SetUp() override {
        const auto listener = listen_tcp("127.0.0.1", 0);
        ASSERT_TRUE(listener);
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        ASSERT_EQ(::getsockname(listener->fd.get(), reinterpret_cast<sockaddr*>(&address), &size),
                  0);
        client_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::connect(client_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
        auto accepted = accept_tcp(listener->fd.get());
        ASSERT_TRUE(accepted);
        server_ = std::move(accepted->fd);
    }
    void send(ByteView bytes) {
        ASSERT_EQ(::send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }
    [[nodiscard]] bool wakes(int timeout_ms) const {
        pollfd asked{server_.get(), POLLIN, 0};
        return ::poll(&asked, 1, timeout_ms) == 1;
    }

    Fd client_;
    Fd server_;
};

TEST_F(HelloOnSocket, ThePollerIsQuietUntilItIsWholeAndNothingIsTaken) {
    const Bytes hello = real_hello();
    EXPECT_EQ(look_for_client_hello(server_.get()), HelloState::kWaiting) << "not a byte";
    send(ByteView(hello).first(60));
    ASSERT_TRUE(wakes(5000));
    EXPECT_EQ(look_for_client_hello(server_.get()), HelloState::kWaiting);
    EXPECT_FALSE(wakes(0)) << "a part is no news";
    send(ByteView(hello).subspan(60));
    ASSERT_TRUE(wakes(5000));
    EXPECT_EQ(look_for_client_hello(server_.get()), HelloState::kWhole);
    Bytes taken(hello.size() + 1);
    EXPECT_EQ(read_tcp(server_.get(), taken).bytes, hello.size());
    send(ByteView(hello).first(1));
    EXPECT_TRUE(wakes(5000)) << "from here on a byte is news";
}

TEST_F(HelloOnSocket, AClientThatLeavesInTheMiddleIsSeen) {
    send(ByteView(real_hello()).first(60));
    ASSERT_TRUE(wakes(5000));
    EXPECT_EQ(look_for_client_hello(server_.get()), HelloState::kWaiting);
    ASSERT_EQ(::shutdown(client_.get(), SHUT_WR), 0);
    ASSERT_TRUE(wakes(5000));
    EXPECT_EQ(look_for_client_hello(server_.get()), HelloState::kRefused);
}

}  // namespace
}  // namespace parley::io
