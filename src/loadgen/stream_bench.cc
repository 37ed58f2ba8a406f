#include "loadgen/stream_bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/clock.h"
#include "io/kernel_random.h"
#include "loadgen/process_stats.h"
#include "loadgen/stream_clients.h"

namespace parley::loadgen {
namespace {

struct StreamMeasurement {
    std::size_t playing = 0;
    std::string first_failure;
    StreamTotals before;  ///< histograms are those of `after`
    StreamTotals after;
    Duration wall{};
    Duration own_cpu{};
    std::optional<ProcessSample> server_idle;
    std::optional<ProcessSample> server_before;
    std::optional<ProcessSample> server_after;
};

Duration own_cpu_time() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& t) {
        return Duration(t.tv_sec * 1'000'000'000 + t.tv_usec * 1000);
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

double to_milliseconds(Duration d) { return to_seconds(d) * 1e3; }

class StreamRun {
public:
    explicit StreamRun(const Options& options) : options_(options), rng_(io::random_seed()) {
        loop_.set_read_interval(options.read_interval);
    }

    /// Empty, or why it cannot begin.
    std::string prepare() {
        if (!options_.rtmp_push.empty()) {
            push_url_ = rtmp::parse_rtmp_url(options_.rtmp_push);
            if (!push_url_ || push_url_->tls) return "--rtmp-push is no RTMP URL";
        }
        if (!plays()) return start_pusher();
        for (const std::string& text : options_.rtmp_play) {
            const auto url = rtmp::parse_rtmp_url(text);
            if (!url) return "--rtmp-play is no RTMP URL";
            if (url->tls) return "RTMPS is not spoken";
            play_rtmp_.push_back(*url);
        }
        for (const std::string& text : options_.flv_play) {
            const auto url = parse_url(text);
            if (!url) return url.error().what;
            play_http_.push_back(*url);
        }
        Url server;
        if (play_rtmp_.empty()) {
            server = play_http_.front();
        } else {
            server.host = play_rtmp_.front().host;
            server.port = play_rtmp_.front().port;
        }
        const auto address = resolve(server);
        if (!address) return address.error().what;
        address_ = *address;
        return push_url_ ? start_pusher() : std::string();
    }

    [[nodiscard]] bool plays() const {
        return !options_.rtmp_play.empty() || !options_.flv_play.empty();
    }

    /// Nobody plays: the push alone. Empty, or why it ended.
    std::string push() {
        pause(options_.duration);
        pusher_->stop(io::read_monotonic_clock());
        pause(50ms);
        return pusher_->failure();
    }

    StreamMeasurement execute() {
        StreamMeasurement m;
        pause(options_.settle);
        if (options_.pid != 0) m.server_idle = sample_process(options_.pid);
        join();
        pause(options_.settle);
        if (options_.pid != 0) m.server_before = sample_process(options_.pid);
        m.before = totals_;
        const Instant start = io::read_monotonic_clock();
        const Duration cpu = own_cpu_time();
        totals_.measuring = true;
        pause(options_.duration);
        totals_.measuring = false;
        m.own_cpu = own_cpu_time() - cpu;
        m.wall = io::read_monotonic_clock() - start;
        if (options_.pid != 0) m.server_after = sample_process(options_.pid);
        m.after = totals_;
        for (const auto& player : players_) {
            if (player->state() == StreamState::kPlaying) {
                ++m.playing;
            } else if (m.first_failure.empty()) {
                m.first_failure =
                    player->failure().empty() ? "no picture in time" : player->failure();
            }
        }
        if (pusher_) pusher_->stop(io::read_monotonic_clock());
        pause(50ms);
        return m;
    }

private:
    std::string start_pusher() {
        Url url;
        url.host = push_url_->host;
        url.port = push_url_->port;
        const auto address = resolve(url);
        if (!address) return address.error().what;
        pusher_ = std::make_unique<RtmpPusher>(loop_,
                                               *push_url_,
                                               options_.video_bitrate,
                                               options_.audio ? options_.audio_bitrate : Bitrate{},
                                               rng_.fork());
        pusher_->connect(*address);
        const Instant end = io::read_monotonic_clock() + options_.join_timeout;
        while (!pusher_->is_started() && pusher_->failure().empty() &&
               io::read_monotonic_clock() < end)
            pause(10ms);
        if (pusher_->is_started()) return {};
        return "the pusher: " +
               (pusher_->failure().empty() ? std::string("no answer") : pusher_->failure());
    }

    void join() {
        const auto interval = Duration(static_cast<std::int64_t>(1e9 / options_.joins_per_second));
        for (unsigned i = 0; i < options_.players; ++i) {
            if (play_http_.empty()) {
                players_.push_back(std::make_unique<RtmpPlayer>(
                    loop_, totals_, play_rtmp_[i % play_rtmp_.size()], rng_.fork()));
            } else {
                players_.push_back(
                    std::make_unique<FlvPlayer>(loop_, totals_, play_http_[i % play_http_.size()]));
            }
            players_.back()->start(io::read_monotonic_clock(), address_);
            pause(interval);
        }
        const Instant end = io::read_monotonic_clock() + options_.join_timeout;
        const auto is_waiting = [](const auto& p) {
            return p->state() == StreamState::kConnecting;
        };
        while (std::any_of(players_.begin(), players_.end(), is_waiting) &&
               io::read_monotonic_clock() < end) {
            pause(20ms);
        }
    }

    void pause(Duration duration) { loop_.run_until(io::read_monotonic_clock() + duration); }

    const Options& options_;
    Rng rng_;
    Loop loop_;
    StreamTotals totals_;
    std::vector<rtmp::RtmpUrl> play_rtmp_;
    std::optional<rtmp::RtmpUrl> push_url_;
    std::vector<Url> play_http_;
    SocketAddress address_;
    std::unique_ptr<RtmpPusher> pusher_;
    std::vector<std::unique_ptr<StreamPlayer>> players_;
};

boost::json::object percentiles_of(const Histogram& h) {
    return {{"count", h.count()},
            {"p50", to_milliseconds(h.percentile(0.5))},
            {"p95", to_milliseconds(h.percentile(0.95))},
            {"p99", to_milliseconds(h.percentile(0.99))},
            {"max", to_milliseconds(h.max())}};
}

boost::json::object report(const Options& options, const StreamMeasurement& m) {
    const double seconds = to_seconds(m.wall);
    const double bits = 8 * static_cast<double>(m.after.bytes - m.before.bytes);
    boost::json::object out{
        {"transport", options.rtmp_play.empty() ? "http-flv" : "rtmp"},
        {"players", options.players},
        {"playing", m.playing},
        {"first_failure", m.first_failure},
        {"measured_seconds", seconds},
        {"bits_per_second", bits / seconds},
        {"messages", m.after.messages - m.before.messages},
        {"pictures", m.after.pictures - m.before.pictures},
        {"key_pictures", m.after.key_pictures - m.before.key_pictures},
        {"skipped_pictures", m.after.skipped_pictures - m.before.skipped_pictures},
        {"backward_timestamps", m.after.backward_timestamps},
        {"delay_ms", percentiles_of(m.after.delay)},
        {"sound_delay_ms", percentiles_of(m.after.sound_delay)},
        {"first_picture_ms", percentiles_of(m.after.first_picture)},
        {"generator", {{"cpu_percent", 100 * to_seconds(m.own_cpu) / seconds}}},
    };
    if (m.server_idle && m.server_before && m.server_after) {
        const double cpu = to_seconds(m.server_after->cpu - m.server_before->cpu);
        const double memory = static_cast<double>(m.server_before->rss_bytes) -
                              static_cast<double>(m.server_idle->rss_bytes);
        out["server"] = {{"cpu_seconds", cpu},
                         {"cpu_percent", 100 * cpu / seconds},
                         {"bits_per_cpu_second", cpu > 0 ? bits / cpu : 0.0},
                         {"rss_bytes", m.server_before->rss_bytes},
                         {"memory_bytes_per_player", memory / options.players}};
    }
    return out;
}

void print_text(const boost::json::object& r) {
    const auto number = [](const boost::json::value& v) { return v.to_number<double>(); };
    std::printf("players         %.0f of %.0f playing%s%s\n",
                number(r.at("playing")),
                number(r.at("players")),
                r.at("first_failure").as_string().empty() ? "" : ": ",
                r.at("first_failure").as_string().c_str());
    std::printf("received        %.1f Mb/s, %.0f pictures, %.0f left out by the server\n",
                number(r.at("bits_per_second")) / 1e6,
                number(r.at("pictures")),
                number(r.at("skipped_pictures")));
    for (const char* name : {"delay_ms", "sound_delay_ms", "first_picture_ms"}) {
        const auto& h = r.at(name).as_object();
        std::printf("%-15s p50 %.3f  p95 %.3f  p99 %.3f  max %.3f  (%.0f)\n",
                    name,
                    number(h.at("p50")),
                    number(h.at("p95")),
                    number(h.at("p99")),
                    number(h.at("max")),
                    number(h.at("count")));
    }
    if (const auto* server = r.if_contains("server")) {
        std::printf(
            "server          %.1f %% CPU, %.2f Gb per CPU second, %.1f KB for each player\n",
            number(server->at("cpu_percent")),
            number(server->at("bits_per_cpu_second")) / 1e9,
            number(server->at("memory_bytes_per_player")) / 1024);
    }
    const double own = number(r.at("generator").at("cpu_percent"));
    std::printf("generator       %.1f %% CPU%s\n",
                own,
                own > 90 ? "  <- saturated, figures are too low" : "");
}

}  // namespace

int run_stream_bench(const Options& options) {
    StreamRun run(options);
    if (const std::string why = run.prepare(); !why.empty()) {
        std::fprintf(stderr, "parley bench: %s\n", why.c_str());
        return 2;
    }
    if (!run.plays()) {
        const std::string why = run.push();
        if (!why.empty()) std::fprintf(stderr, "parley bench: the pusher: %s\n", why.c_str());
        return why.empty() ? 0 : 1;
    }
    const StreamMeasurement m = run.execute();
    const boost::json::object result = report(options, m);
    if (options.json) {
        std::printf("%s\n", boost::json::serialize(result).c_str());
    } else {
        print_text(result);
    }
    return m.playing == options.players ? 0 : 1;
}

}  // namespace parley::loadgen
