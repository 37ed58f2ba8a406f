#include <gtest/gtest.h>
#include <unistd.h>

#include "base/rng.h"
#include "loadgen/http_client.h"
#include "loadgen/media_files.h"
#include "loadgen/options.h"
#include "loadgen/process_stats.h"
#include "loadgen/subscriber.h"
#include "loadgen/url.h"
#include "loadgen/web_socket.h"

namespace parley::loadgen {
namespace {

TEST(PictureChecker, CountsPicturesFromTheFirstKeyFrame) {
    PictureChecker checker;
    PictureChecker::Result total;
    rtp::ExtSeq sequence = 100;
    const auto feed = [&](PictureChecker::Packet packet) {
        const auto r = checker.handle_packet(sequence++, packet);
        total.decodable += r.decodable;
        total.undecodable += r.undecodable;
        total.vanished += r.vanished;
    };
    feed({.starts_picture = true, .marker = true, .frame = 7});
    EXPECT_TRUE(checker.needs_key_frame());
    feed({.starts_picture = true, .key_frame = true});
    feed({.key_frame = true, .marker = true, .frame = 8});
    EXPECT_FALSE(checker.needs_key_frame());
    feed({.starts_picture = true, .frame = 9});
    feed({.marker = true, .frame = 9});
    EXPECT_EQ(total.decodable, 2u);
    EXPECT_EQ(total.undecodable, 1u);
    feed({.starts_picture = true, .marker = true, .frame = 12});  // 10 and 11 are gone without a gap
    EXPECT_EQ(total.vanished, 2u);
    EXPECT_TRUE(checker.needs_key_frame());
    feed({.starts_picture = true, .key_frame = true, .marker = true, .frame = 500});  // another layer
    EXPECT_FALSE(checker.needs_key_frame());
    feed({.starts_picture = true, .marker = true, .frame = 501});
    EXPECT_EQ(total.decodable, 4u);
    EXPECT_EQ(total.vanished, 2u);
}

TEST(PictureChecker, WaitsForWhatIsMissing) {
    PictureChecker checker;
    (void)checker.handle_packet(10, {.starts_picture = true, .key_frame = true, .marker = true, .frame = 0});
    EXPECT_EQ(checker.handle_packet(12, {.marker = true, .frame = 1}).decodable, 0u);
    EXPECT_EQ(checker.handle_packet(13, {.starts_picture = true, .marker = true, .frame = 2}).decodable, 0u);
    EXPECT_EQ(checker.handle_packet(11, {.starts_picture = true, .frame = 1}).decodable, 2u);
    EXPECT_EQ(checker.handle_packet(11, {.starts_picture = true, .frame = 1}).decodable, 0u);
    (void)checker.handle_packet(15, {.starts_picture = true, .marker = true, .frame = 4});
    EXPECT_EQ(checker.give_up().undecodable, 1u);
    EXPECT_TRUE(checker.needs_key_frame());
}

TEST(PictureChecker, WaitingIsBounded) {
    PictureChecker checker;
    (void)checker.handle_packet(0, {.starts_picture = true, .key_frame = true, .marker = true});
    std::uint64_t undecodable = 0;
    for (rtp::ExtSeq i = 2; i < 3 * PictureChecker::kMaxWaiting; ++i) {
        undecodable += checker.handle_packet(i, {.starts_picture = true, .marker = true}).undecodable;
    }
    EXPECT_GE(undecodable, 2 * PictureChecker::kMaxWaiting);
}

TEST(TakeHttpResponse, LengthChunksAndEveryTruncation) {
    const std::string with_length = "HTTP/1.1 200 OK\r\nContent-Type: a\r\nCONTENT-LENGTH:  5 \r\n\r\nhello";
    const std::string chunked =
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
    for (const std::string& whole : {with_length, chunked}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            std::string part = whole.substr(0, size);
            EXPECT_FALSE(take_http_response(part).has_value()) << size;
            EXPECT_EQ(part.size(), size);
        }
        std::string bytes = whole + "rest";
        const auto response = take_http_response(bytes);
        ASSERT_TRUE(response.has_value());
        EXPECT_EQ(response->body, "hello");
        EXPECT_EQ(bytes, "rest");
    }
    std::string upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi";
    EXPECT_EQ(take_http_response(upgrade)->status, 101);
    EXPECT_EQ(upgrade, "\x81\x02hi");
    std::string nonsense = "SSH-2.0-OpenSSH_9.2 ..........\r\n\r\n";
    EXPECT_EQ(take_http_response(nonsense)->status, 0);
    std::string endless = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
    EXPECT_EQ(take_http_response(endless)->status, 0);
}

TEST(ParseUrl, Forms) {
    struct Case {
        const char* text;
        const char* host;
        std::uint16_t port;
        const char* target;
    };
    for (const Case& c : {Case{"http://127.0.0.1:8080", "127.0.0.1", 8080, "/"},
                          Case{"ws://example.org/a/b?c=d:e", "example.org", 80, "/a/b?c=d:e"},
                          Case{"http://[::1]:99/x", "::1", 99, "/x"},
                          Case{"http://[2001:db8::1]", "2001:db8::1", 80, "/"},
                          Case{"http://host?q", "host", 80, "/?q"}}) {
        const auto url = parse_url(c.text);
        ASSERT_TRUE(url.has_value()) << c.text;
        EXPECT_EQ(url->host, c.host);
        EXPECT_EQ(url->port, c.port);
        EXPECT_EQ(url->target, c.target);
    }
    for (const char* bad : {"", "https://x", "http://", "http://:80", "http://x:", "http://x:70000", "http://[::1", "x"}) {
        EXPECT_FALSE(parse_url(bad).has_value()) << bad;
    }
}

TEST(ParseProcStat, NamesMayHoldAnything) {
    const std::string tail = " S 1 2 3 4 5 6 7 8 9 10 70 30 0 0 20 0 4 0 100 0 0";
    const auto stat = parse_proc_stat("42 (a ) b) (c)" + tail);
    ASSERT_TRUE(stat.has_value());
    EXPECT_EQ(stat->cpu_ticks, 100u);
    EXPECT_EQ(stat->threads, 4u);
    EXPECT_FALSE(parse_proc_stat("").has_value());
    EXPECT_FALSE(parse_proc_stat("42 (x) S 1 2 3").has_value());
    const auto self = sample_process(getpid());
    ASSERT_TRUE(self.has_value());
    EXPECT_GT(self->rss_bytes, 1u << 20);
    EXPECT_FALSE(sample_process(-1).has_value());
}

Bytes ogg_page(const std::vector<std::size_t>& lacing, std::uint8_t fill) {
    Bytes page(27);
    const std::string_view magic = "OggS";
    std::copy(magic.begin(), magic.end(), page.begin());
    page[26] = static_cast<std::uint8_t>(lacing.size());
    for (const std::size_t size : lacing) page.push_back(static_cast<std::uint8_t>(size));
    for (const std::size_t size : lacing) page.insert(page.end(), size, fill);
    return page;
}

TEST(ReadOggOpus, PacketsSpanSegmentsAndPages) {
    Bytes file = ogg_page({8}, 0);
    const std::string_view head = "OpusHead";
    std::copy(head.begin(), head.end(), file.end() - 8);
    for (const Bytes& page : {ogg_page({100, 255, 20}, 1), ogg_page({255}, 2), ogg_page({7}, 3)}) {
        file.insert(file.end(), page.begin(), page.end());
    }
    const auto packets = read_ogg_opus(file);
    ASSERT_EQ(packets.size(), 3u);
    EXPECT_EQ(packets[0].size(), 100u);
    EXPECT_EQ(packets[1].size(), 275u);
    EXPECT_EQ(packets[2].size(), 262u);
    for (std::size_t size = 0; size < file.size(); ++size) (void)read_ogg_opus(ByteView(file).first(size));
}

Result<Options> parse(std::vector<const char*> words, std::string& detail) {
    words.insert(words.begin(), "bench");
    return parse_options(static_cast<int>(words.size()), words.data(), detail);
}

TEST(ParseOptions, ReadsAndRefuses) {
    std::string detail;
    const auto o = parse({"--url", "http://h:1", "--subscribers", "100", "--kbps", "900", "--audio-only", "--json",
                          "--duration", "2.5", "--layers", "2", "--protocol", "whip", "--pid", "7", "--read-interval-us", "250"}, detail);
    ASSERT_TRUE(o.has_value()) << detail;
    EXPECT_EQ(o->subscribers, 100u);
    EXPECT_EQ(o->video_bitrate, Bitrate::kbps(900));
    EXPECT_FALSE(o->video);
    EXPECT_EQ(o->duration, 2500ms);
    EXPECT_EQ(o->layers, 2u);
    EXPECT_EQ(o->read_interval, 250us);
    EXPECT_EQ(o->protocol, Protocol::kWhip);
    for (const std::vector<const char*>& bad : std::vector<std::vector<const char*>>{
             {"--nonsense"}, {"--kbps"}, {"--kbps", "x"}, {"--kbps", "10"}, {"--layers", "3"}, {"--read-interval-us", "-1"},
             {"--duration", "nan"},
             {"--audio-only", "--video-only"}, {"--rooms", "200", "--subscribers", "100"}, {"--protocol", "rtmp"}}) {
        detail.clear();
        EXPECT_FALSE(parse(bad, detail).has_value()) << bad[0];
        EXPECT_FALSE(detail.empty());
    }
}

}  // namespace
}  // namespace parley::loadgen
