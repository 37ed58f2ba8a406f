#include "loadgen/bench_command.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>

#include "io/clock.h"
#include "io/kernel_random.h"
#include "loadgen/media_files.h"
#include "loadgen/options.h"
#include "loadgen/qnrtc_client.h"
#include "loadgen/report.h"
#include "loadgen/stream_bench.h"
#include "loadgen/whip_client.h"

namespace parley::loadgen {
namespace {

/// Starts clients at an even pace.
class Ramp final : public Loop::Handler {
public:
    Ramp(Loop& loop, double per_second)
        : loop_(loop), interval_(static_cast<std::int64_t>(1e9 / per_second)) {}
    void start(std::vector<Client*> clients, Instant now) {
        clients_.assign(clients.begin(), clients.end());
        next_ = now;
        handle_timer(now);
    }
    [[nodiscard]] bool is_done() const { return clients_.empty(); }

private:
    void handle_io(Instant, bool, bool) override {}
    void handle_timer(Instant now) override {
        while (!clients_.empty() && next_ <= now) {
            clients_.front()->start(now);
            clients_.pop_front();
            next_ += interval_;
        }
        if (!clients_.empty()) loop_.wake_at(*this, next_);
    }
    Loop& loop_;
    Duration interval_;
    std::deque<Client*> clients_;
    Instant next_;
};

Duration own_cpu() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& t) { return Duration(t.tv_sec * 1'000'000'000 + t.tv_usec * 1000); };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

void raise_file_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

bool pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    return sched_setaffinity(0, sizeof(set), &set) == 0;
}

class Run {
public:
    Run(const Options& options, const Url& url, const SocketAddress& address, dtls::Factory& dtls,
        const MediaFiles& files)
        : options_(options),
          url_(url),
          address_(address),
          rng_(io::random_seed()),
          context_{loop_, buffers_, totals_, dtls, files, secrets_},
          ramp_(loop_, options.joins_per_second) {
        loop_.set_read_interval(options.read_interval);
    }

    Measurement execute() {
        make_clients();
        join(publishers_);
        pause(options_.settle);
        Measurement m;
        if (options_.pid != 0) m.server_idle = sample_process(options_.pid);
        join(subscribers_);
        pause(options_.settle);
        measure(m);
        summarise(m);
        for (const auto& client : clients_) client->leave();
        pause(50ms);
        return m;
    }
    [[nodiscard]] const Totals& totals() const { return totals_; }

private:
    void make_clients() {
        for (unsigned room = 0; room < options_.rooms; ++room) {
            for (unsigned i = 0; i < options_.publishers; ++i) make_client(room, "pub", i, publishers_);
        }
        // Round robin over the rooms, so that all of them fill at the same pace.
        for (unsigned i = 0; i < options_.subscribers; ++i) {
            for (unsigned room = 0; room < options_.rooms; ++room) make_client(room, "sub", i, subscribers_);
        }
    }

    void make_client(unsigned room, const char* kind, unsigned number, std::vector<Client*>& list) {
        const std::string room_text = std::to_string(room);
        const auth::RoomClaims claims{.app_id = options_.app,
                                      .room_name = options_.room_prefix + "-" + room_text,
                                      .user_id = user_id(kind, room, number),
                                      .expire_at = io::read_wall_clock() + 24h,
                                      .permission = auth::Permission::kUser};
        const std::string token = auth::mint_room_token({options_.access_key, options_.secret_key}, claims);
        const ClientRole role{.publish = &list == &publishers_,
                              .subscribe = &list == &subscribers_ || options_.mesh,
                              .audio = options_.audio,
                              .video = options_.video,
                              .layers = options_.layers,
                              .video_bitrate = options_.video_bitrate,
                              .audio_bitrate = options_.audio_bitrate,
                              .max_packet = options_.max_packet};
        if (options_.protocol == Protocol::kQnrtc) {
            clients_.push_back(std::make_unique<QnrtcClient>(
                context_, QnrtcClient::Config{url_, address_, claims, token, role}, rng_.fork()));
        } else {
            // A viewer gets the media of one publisher.
            const std::string source =
                role.subscribe && options_.publishers > 0 ? user_id("pub", room, number % options_.publishers) : "";
            clients_.push_back(std::make_unique<WhipClient>(
                context_, WhipClient::Config{url_, address_, claims, token, source, role}, rng_.fork()));
        }
        list.push_back(clients_.back().get());
    }
    static std::string user_id(const char* kind, unsigned room, unsigned number) {
        return std::string(kind) + "-" + std::to_string(room) + "-" + std::to_string(number);
    }

    /// Returns when all of `list` are ready or have failed, or at the timeout after the last start.
    void join(const std::vector<Client*>& list) {
        ramp_.start(list, io::read_monotonic_clock());
        std::optional<Instant> give_up;
        while (true) {
            step(100ms);
            const Instant now = io::read_monotonic_clock();
            if (!ramp_.is_done()) continue;
            if (!give_up) give_up = now + options_.join_timeout;
            const bool settled = std::all_of(list.begin(), list.end(), [](const Client* client) {
                return client->state() == ClientState::kReady || client->state() == ClientState::kFailed;
            });
            if (settled || now >= *give_up) return;
        }
    }

    void pause(Duration duration) {
        const Instant end = io::read_monotonic_clock() + duration;
        while (true) {
            const Duration left = end - io::read_monotonic_clock();
            if (left <= Duration(0)) return;
            step(std::min<Duration>(left, 1s));
        }
    }

    void step(Duration duration) {
        loop_.run_until(io::read_monotonic_clock() + duration);
        print_progress();
    }

    void measure(Measurement& m) {
        const auto snapshot_server = [&] {
            return options_.pid != 0 ? sample_process(options_.pid) : std::nullopt;
        };
        const Counters before = totals_.counters;
        const Duration cpu_before = own_cpu();
        const Instant start = io::read_monotonic_clock();
        m.server_before = snapshot_server();
        totals_.measuring = true;
        pause(options_.duration);
        totals_.measuring = false;
        m.server_after = snapshot_server();
        m.wall = io::read_monotonic_clock() - start;
        m.own_cpu = own_cpu() - cpu_before;
        m.counters = difference(totals_.counters, before);
    }

    void summarise(Measurement& m) {
        m.clients = clients_.size();
        for (const auto& client : clients_) {
            if (client->state() == ClientState::kReady) {
                ++m.ready;
            } else {
                ++m.failed;
                if (m.first_failure.empty()) {
                    m.first_failure = client->failure().empty() ? "not ready in time" : client->failure();
                }
            }
            m.audio_lost += client->audio_lost();
        }
    }

    void print_progress() {
        const Instant now = io::read_monotonic_clock();
        if (options_.quiet || now - last_progress_ < 1s) return;
        const double seconds = to_seconds(now - last_progress_);
        const Counters& c = totals_.counters;
        std::size_t ready = 0;
        std::size_t failed = 0;
        for (const auto& client : clients_) {
            ready += client->state() == ClientState::kReady ? 1u : 0u;
            failed += client->state() == ClientState::kFailed ? 1u : 0u;
        }
        if (last_progress_ != Instant{}) {
            std::fprintf(stderr, "\r%s %zu/%zu ready, %zu failed, %.0f packets/s, %.1f Mb/s, generator %.0f %% CPU    ",
                         totals_.measuring ? "measuring" : "joining", ready, clients_.size(), failed,
                         static_cast<double>(c.received_packets - progress_.received_packets) / seconds,
                         8e-6 * static_cast<double>(c.received_bytes - progress_.received_bytes) / seconds,
                         100 * to_seconds(own_cpu() - progress_cpu_) / seconds);
        }
        last_progress_ = now;
        progress_ = c;
        progress_cpu_ = own_cpu();
    }

    const Options& options_;
    Url url_;
    SocketAddress address_;
    Rng rng_;
    io::KernelSecretSource secrets_;
    Totals totals_;
    ReceiveBuffers buffers_;
    Loop loop_;
    ClientContext context_;
    Ramp ramp_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<Client*> publishers_;
    std::vector<Client*> subscribers_;
    Instant last_progress_;
    Counters progress_;
    Duration progress_cpu_{};
};

}  // namespace

int run_bench(int argc, char** argv) {
    std::string detail;
    const auto options = parse_options(argc, argv, detail);
    if (!options) {
        std::fprintf(stderr, "parley bench: %s (see parley bench --help)\n", detail.c_str());
        return 2;
    }
    if (options->help) {
        std::fputs(usage(), stdout);
        return 0;
    }
    const auto usage_error = [](const char* what) {
        std::fprintf(stderr, "parley bench: %s\n", what);
        return 2;
    };
    if (!options->rtmp_play.empty() || !options->flv_play.empty() || !options->rtmp_push.empty()) {
        if (options->cpu >= 0 && !pin_to(options->cpu)) return usage_error("no such processor");
        raise_file_limit();
        return run_stream_bench(*options);
    }
    const auto url = parse_url(options->url);
    if (!url) return usage_error(url.error().what);
    const auto address = resolve(*url);
    if (!address) return usage_error(address.error().what);
    if (options->access_key.empty() || options->secret_key.empty()) {
        return usage_error("room tokens need --access-key and --secret-key");
    }
    if (options->cpu >= 0 && !pin_to(options->cpu)) return usage_error("no such processor");
    if (options->pid != 0 && !sample_process(options->pid)) return usage_error("no process with that --pid");
    const auto files = load_media(options->video_file, options->audio_file);
    if (!files) return usage_error(files.error().what);
    const auto dtls = dtls::create_openssl_factory();
    if (!dtls) return usage_error(dtls.error().what);
    raise_file_limit();

    Run run(*options, *url, *address, **dtls, *files);
    const Measurement m = run.execute();
    if (!options->quiet) std::fputc('\n', stderr);
    std::fputs((options->json ? to_json(*options, run.totals(), m) : to_text(*options, run.totals(), m)).c_str(), stdout);
    return m.failed == 0 ? 0 : 1;
}

}  // namespace parley::loadgen
