#include "gate/url_gate.h"

#include <gtest/gtest.h>

namespace parley::gate {
namespace {

IpAddress ip(std::string_view text) {
    const Result<IpAddress> address = IpAddress::parse(text);
    EXPECT_TRUE(address.has_value()) << text;
    return *address;
}

TEST(UrlGate, KnowsWhatAnAddressIs) {
    struct Row {
        const char* address;
        AddressKind kind;
    };
    for (const Row& row : std::initializer_list<Row>{
             {"8.8.8.8", AddressKind::kPublic},
             {"1.1.1.1", AddressKind::kPublic},
             {"223.255.255.255", AddressKind::kPublic},
             {"0.0.0.0", AddressKind::kUnspecified},
             {"0.1.2.3", AddressKind::kUnspecified},
             {"9.255.255.255", AddressKind::kPublic},
             {"10.0.0.0", AddressKind::kPrivate},
             {"10.255.255.255", AddressKind::kPrivate},
             {"11.0.0.0", AddressKind::kPublic},
             {"100.63.255.255", AddressKind::kPublic},
             {"100.64.0.0", AddressKind::kShared},
             {"100.127.255.255", AddressKind::kShared},
             {"100.128.0.0", AddressKind::kPublic},
             {"127.0.0.1", AddressKind::kLoopback},
             {"127.255.255.254", AddressKind::kLoopback},
             {"128.0.0.1", AddressKind::kPublic},
             {"169.254.169.254", AddressKind::kLinkLocal},
             {"172.15.255.255", AddressKind::kPublic},
             {"172.16.0.1", AddressKind::kPrivate},
             {"172.31.255.255", AddressKind::kPrivate},
             {"172.32.0.0", AddressKind::kPublic},
             {"192.168.1.1", AddressKind::kPrivate},
             {"192.0.0.8", AddressKind::kReserved},
             {"192.0.2.1", AddressKind::kReserved},
             {"198.18.0.1", AddressKind::kReserved},
             {"198.19.255.255", AddressKind::kReserved},
             {"198.20.0.0", AddressKind::kPublic},
             {"203.0.113.9", AddressKind::kReserved},
             {"224.0.0.1", AddressKind::kMulticast},
             {"240.0.0.1", AddressKind::kReserved},
             {"255.255.255.255", AddressKind::kReserved},
             {"::", AddressKind::kUnspecified},
             {"::1", AddressKind::kLoopback},
             {"::ffff:127.0.0.1", AddressKind::kLoopback},
             {"::ffff:10.1.2.3", AddressKind::kPrivate},
             {"::ffff:8.8.8.8", AddressKind::kPublic},
             {"::127.0.0.1", AddressKind::kLoopback},
             {"64:ff9b::7f00:1", AddressKind::kLoopback},
             {"64:ff9b::a9fe:a9fe", AddressKind::kLinkLocal},
             {"64:ff9b::808:808", AddressKind::kPublic},
             {"64:ff9b:1::1", AddressKind::kReserved},
             {"::ffff:0:7f00:1", AddressKind::kLoopback},
             {"2002:7f00:1::", AddressKind::kLoopback},
             {"2002:a00:1::1", AddressKind::kPrivate},
             {"2002:808:808::1", AddressKind::kPublic},
             {"2001::1", AddressKind::kReserved},
             {"2001:db8::1", AddressKind::kReserved},
             {"2606:4700::1111", AddressKind::kPublic},
             {"fc00::1", AddressKind::kPrivate},
             {"fdff::1", AddressKind::kPrivate},
             {"fe80::1", AddressKind::kLinkLocal},
             {"febf::1", AddressKind::kLinkLocal},
             {"fec0::1", AddressKind::kPrivate},
             {"ff02::1", AddressKind::kMulticast},
             {"100::1", AddressKind::kReserved},
             {"4000::1", AddressKind::kReserved},
         }) {
        EXPECT_EQ(to_string(classify(ip(row.address))), to_string(row.kind)) << row.address;
    }
}

TEST(UrlGate, TakesUrlsApart) {
    const auto url = parse_url("HTTPS://Hooks.Example.com:8443/a/b?x=1#part");
    ASSERT_TRUE(url.has_value());
    EXPECT_EQ(url->scheme, "https");
    EXPECT_EQ(url->host, "hooks.example.com");
    EXPECT_EQ(url->port, 8443);
    EXPECT_EQ(url->path_and_query, "/a/b?x=1");
    EXPECT_EQ(parse_url("http://h")->path_and_query, "/");
    EXPECT_EQ(parse_url("http://h?q")->path_and_query, "/?q");
    EXPECT_EQ(parse_url("http://h:")->port, 80);
    EXPECT_EQ(parse_url("rtmp://h/live")->port, 1935);
    EXPECT_EQ(parse_url("http://[2606:4700::1]:81/")->host, "2606:4700::1");
    EXPECT_EQ(parse_url("http://8.8.8.8/")->host, "8.8.8.8");
}

TEST(UrlGate, RefusesWhatLibrariesReadDifferently) {
    for (const char* text : {"",
                             "http",
                             "http:",
                             "http://",
                             "://h",
                             "1http://h",
                             "h t://h",
                             "http:/h",
                             "//h/x",
                             "http://user@h/",
                             "http://user:pass@h/",
                             "http://good.example@127.0.0.1/",
                             "http://h\\@x/",
                             "http://h /",
                             "http://h/\r\nX: y",
                             "http://h/\n",
                             "http://a..b/",
                             "http://.a/",
                             "http://h%2e/",
                             "http://127.1/",
                             "http://0x7f.0.0.1/",
                             "http://0x7f000001/",
                             "http://2130706433/",
                             "http://017700000001/",
                             "http://1.2.3.4.5/",
                             "http://127.0.0.1.:80x/",
                             "http://h:0/",
                             "http://h:65536/",
                             "http://h:-1/",
                             "http://h:8 0/",
                             "http://[::1/",
                             "http://[::1]x/",
                             "http://[1.2.3.4]/",
                             "http://[]/",
                             "http://[fe80::1%25eth0]/",
                             "http://h\xc3\xa4/",
                             "gopher://h"}) {
        EXPECT_FALSE(parse_url(text).has_value()) << text;
    }
    EXPECT_EQ(parse_url("http://h/" + std::string(3'000, 'a')).error().code, Errc::kTooLarge);
}

TEST(UrlGate, LetsOnlyPublicAddressesThrough) {
    const UrlGate gate;
    EXPECT_TRUE(gate.check_url("http://app.example.com/rtc/callback").has_value());
    EXPECT_TRUE(gate.check_url("https://8.8.8.8/").has_value());
    struct Row {
        const char* url;
        Errc code;
    };
    for (const Row& row : std::initializer_list<Row>{
             {"file:///etc/passwd", Errc::kUnsupported},
             {"ftp://example.com/", Errc::kUnsupported},
             {"javascript:alert(1)", Errc::kUnsupported},
             {"", Errc::kUnsupported},
             {"http://127.0.0.1/", Errc::kForbidden},
             {"http://localhost/", Errc::kForbidden},
             {"http://LOCALHOST./", Errc::kForbidden},
             {"http://a.localhost/", Errc::kForbidden},
             {"http://169.254.169.254/latest/meta-data", Errc::kForbidden},
             {"http://[::1]/", Errc::kForbidden},
             {"http://[::ffff:10.0.0.1]/", Errc::kForbidden},
             {"http://[64:ff9b::a00:1]/", Errc::kForbidden},
             {"http://192.168.0.1:8080/", Errc::kForbidden},
         }) {
        const auto url = gate.check_url(row.url);
        ASSERT_FALSE(url.has_value()) << row.url;
        EXPECT_EQ(url.error().code, row.code) << row.url;
    }
    EXPECT_FALSE(gate.check_address("evil.example", ip("10.0.0.1")).has_value());
    EXPECT_TRUE(gate.check_address("good.example", ip("8.8.4.4")).has_value());
}

TEST(UrlGate, OpensWhatTheOperatorNames) {
    const auto policy =
        parse_allow_list({"10.1.0.0/16", "fd00::/8", "127.0.0.1", "Hooks.Internal"});
    ASSERT_TRUE(policy.has_value());
    const UrlGate gate(*policy);
    EXPECT_TRUE(gate.check_url("http://10.1.2.3/").has_value());
    EXPECT_TRUE(gate.check_url("http://[::ffff:10.1.2.3]/").has_value());
    EXPECT_FALSE(gate.check_url("http://10.2.0.0/").has_value());
    EXPECT_TRUE(gate.check_url("http://[fd12::1]/").has_value());
    EXPECT_TRUE(gate.check_url("http://127.0.0.1:9/").has_value());
    EXPECT_TRUE(gate.check_url("http://localhost:9/").has_value());
    EXPECT_FALSE(gate.check_url("http://127.0.0.2/").has_value());
    EXPECT_FALSE(gate.check_url("http://[::1]/").has_value());
    EXPECT_TRUE(gate.check_address("hooks.internal", ip("192.168.7.7")).has_value());
    EXPECT_FALSE(gate.check_address("other.internal", ip("192.168.7.7")).has_value());
    for (const char* bad :
         {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "::/129", "a b", "127.1"}) {
        EXPECT_FALSE(parse_allow_list({bad}).has_value()) << bad;
    }
}

}  // namespace
}  // namespace parley::gate
