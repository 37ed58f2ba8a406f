#include "signalling/envelope.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <string>

#include "base/rng.h"

namespace parley::signalling {
namespace {

constexpr std::size_t kDepth = 16;

TEST(Envelope, S14_NameIsWhatStandsBeforeTheFirstEquals) {
    const auto message = parse_envelope("pubpc-res={\"a\":1}", kDepth);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->name, "pubpc-res");
    EXPECT_EQ(message->body.at("a"), 1);
}

TEST(Envelope, S15_ValuesMayContainEquals) {
    const auto message = parse_envelope("x={\"token\":\"a=b==\"}", kDepth);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->body.at("token"), "a=b==");
}

TEST(Envelope, S21_EverythingElseIsMalformed) {
    const std::string long_name(kMaxNameLength + 1, 'a');
    const std::string deep = "x={\"a\":" + std::string(40, '[') + std::string(40, ']') + "}";
    for (const std::string& text : {std::string(),
                                    std::string("="),
                                    std::string("={}"),
                                    std::string("ping"),
                                    std::string("ping="),
                                    std::string("ping=[]"),
                                    std::string("ping=1"),
                                    std::string("ping={}x"),
                                    std::string("ping={\"a\":}"),
                                    std::string("pi ng={}"),
                                    std::string("pi\"ng={}"),
                                    std::string("x={\"a\":\"\xff\"}"),
                                    long_name + "={}",
                                    deep}) {
        EXPECT_FALSE(parse_envelope(text, kDepth)) << text;
    }
    EXPECT_TRUE(parse_envelope(std::string(kMaxNameLength, 'a') + "={}", kDepth));
}

TEST(Envelope, EveryTruncationIsRefused) {
    const std::string text = "auth={\"rpcid\":\"1\",\"list\":[1,2,{\"a\":null}]}";
    for (std::size_t size = 0; size < text.size(); ++size) {
        EXPECT_FALSE(parse_envelope(text.substr(0, size), kDepth)) << size;
    }
    EXPECT_TRUE(parse_envelope(text, kDepth));
}

TEST(Envelope, WhatIsWrittenIsReadBack) {
    Rng rng(7);
    for (int round = 0; round < 500; ++round) {
        boost::json::object body;
        for (std::uint64_t i = rng.below(6); i > 0; --i) {
            std::string text;
            for (std::uint64_t n = rng.below(20); n > 0; --n) {
                text.push_back(static_cast<char>(rng.below(0x80)));
            }
            body["k" + std::to_string(i)] = text;
            body["n" + std::to_string(i)] = rng.next_u64() >> 11;
        }
        const std::string text = write_envelope("on-x", body);
        const auto message = parse_envelope(text, kDepth);
        ASSERT_TRUE(message) << text;
        EXPECT_EQ(message->body, body);
        EXPECT_EQ(message->name, "on-x");
    }
}

}  // namespace
}  // namespace parley::signalling
