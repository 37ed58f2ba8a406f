// The REST router over real room control and a real store, without the network: 10,000 rooms with a
// member in each, and what a call costs. A page of rooms must cost the same with 100 rooms as with
// all of them. Prints one line of JSON; exits with 1 when a call fails or a page's cost grows with
// the rooms. Usage: rest_bench [rooms] [calls]
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "auth/qiniu_signature.h"
#include "io/clock.h"
#include "io/kernel_random.h"
#include "rest/router.h"
#include "server/app_store.h"
#include "server/courier.h"
#include "server/journal.h"
#include "server/rest_bridge.h"

namespace parley::server {
namespace {

double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Figures {
    double per_second = 0;
    double p50_us = 0;
    double p99_us = 0;
};

/// The calls that are measured ask nothing of it.
struct NoHistory final : rest::History {
    void read_events(webhook::EventQuery, Events) override {}
    void read_past_rooms(webhook::PastRoomQuery, PastRooms) override {}
    void read_deliveries(webhook::DeliveryQuery, Deliveries) override {}
    void read_quality(quality::HistoryQuery, Quality) override {}
    void read_usage(rest::UsageQuery, Usage) override {}
    void replay_events(webhook::EventQuery, Queued) override {}
    void replay_deliveries(webhook::DeliveryQuery, Queued) override {}
};

class Bench {
public:
    Bench(AppStore& store, Journal& journal, const rest::RouterConfig& config)
        : store_(store),
          quality_(store, journal, QualityKeeper::Options{}),
          hub_({},
               Rng(1),
               secrets_,
               store,
               store.signing_key(),
               {{WorkerId(1), {{{*IpAddress::parse("127.0.0.1"), 7700}, false}}}},
               {},
               now_,
               wall_),
          bridge_(store, journal, quality_, meter_, hub_, workers_, outputs_, wall_),
          router_(config, Rng(2), secrets_, bridge_, bridge_, bridge_, bridge_, history_) {}

    bool add_rooms(std::size_t first, std::size_t end) {
        for (std::size_t i = first; i < end; ++i) {
            signalling::JoinPublisher join;
            join.owner.room = {"demo", fmt::format("room-{:06}", i)};
            join.owner.user_id = "alice";
            signalling::OfferedTrack track;
            track.payload_type = PayloadType(111);
            track.mid = "0";
            track.encodings.push_back({.rid = "", .ssrc = Ssrc(1111), .rtx_ssrc = Ssrc{}});
            join.tracks.push_back(std::move(track));
            if (!hub_.join_publisher(now_, wall_, join, outputs_)) return false;
            outputs_.clear();
        }
        return true;
    }

    /// A call that is not answered with 200 ends the program.
    Figures measure(std::size_t calls, const std::vector<std::string>& targets, bool sign) {
        std::vector<rest::HttpRequest> requests;
        for (const std::string& target : targets) requests.push_back(request(target, sign));
        std::vector<double> took;
        took.reserve(calls);
        const double begin = cpu_seconds();
        double last = begin;
        for (std::size_t i = 0; i < calls; ++i) {
            const rest::HttpResponse response =
                router_.handle(now_, wall_, requests[i % requests.size()]);
            if (response.status != 200) {
                fmt::print(stderr,
                           "{}: {} {}\n",
                           requests[i % requests.size()].target,
                           response.status,
                           response.body);
                std::exit(1);
            }
            const double now = cpu_seconds();
            took.push_back((now - last) * 1e6);
            last = now;
        }
        std::sort(took.begin(), took.end());
        return {
            static_cast<double>(calls) / (last - begin), took[calls / 2], took[calls * 99 / 100]};
    }

    std::string token_check(std::size_t room) {
        const std::string name = fmt::format("room-{:06}", room);
        const std::string token = auth::mint_room_token(
            store_.account(), {"demo", name, "bob", wall_ + std::chrono::hours(1), {}});
        return fmt::format("/v3/apps/demo/rooms/{}/auth?user=bob&token={}", name, token);
    }

private:
    rest::HttpRequest request(const std::string& target, bool sign) {
        rest::HttpRequest out;
        out.method = "GET";
        out.target = target;
        out.host = "rtc.example.org";
        out.peer = "192.0.2.1";
        if (!sign) return out;
        const std::size_t mark = target.find('?');
        auth::SignedRequestView view;
        view.method = out.method;
        view.path = std::string_view(target).substr(0, mark);
        if (mark != std::string::npos) view.query = std::string_view(target).substr(mark + 1);
        view.host = out.host;
        out.headers.emplace_back("Authorization", auth::sign_request(store_.account(), view));
        return out;
    }

    const Instant now_ = io::read_monotonic_clock();
    const WallTime wall_ = io::read_wall_clock();
    AppStore& store_;
    QualityKeeper quality_;
    Meter meter_{wall_, [](const std::vector<rest::UsageRow>&) { return true; }};
    io::KernelSecretSource secrets_;
    signalling::Outputs outputs_;
    signalling::Hub hub_;
    const std::vector<std::unique_ptr<MediaWorker>> workers_;
    RestBridge bridge_;
    NoHistory history_;
    rest::Router router_;
};

int run(std::size_t rooms, std::size_t calls) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() /
                                         fmt::format("parley-rest-bench-{}", io::random_seed());
    LoadedConfig loaded = load_config_text("", "", {});
    loaded.config.data_dir = folder.string();
    io::KernelSecretSource secrets;
    auto store = AppStore::open(loaded.config, secrets, io::read_wall_clock());
    if (!store) {
        fmt::print(stderr, "{}\n", store.error());
        return 1;
    }
    auto courier = Courier::start((folder / "parley.db").string(), *store->store(), {});
    if (!courier) {
        fmt::print(stderr, "{}\n", courier.error());
        return 1;
    }
    Journal journal(*store, **courier, {}, store->take_events());
    int result = 0;
    {
        rest::RouterConfig config;
        config.signing_key = store->signing_key();
        Bench bench(*store, journal, config);
        constexpr std::size_t kFew = 100;
        if (!bench.add_rooms(0, kFew)) return 1;
        const std::string page = "/x1/apps/demo/rooms?limit=100";
        const std::string names = "/v3/apps/demo/rooms?limit=100&offset=";
        const Figures few = bench.measure(calls, {page}, true);
        const Figures few_names = bench.measure(calls, {names + "0"}, true);
        if (!bench.add_rooms(kFew, rooms)) return 1;
        std::vector<std::string> tokens;
        std::vector<std::string> users;
        std::vector<std::string> pages;
        std::vector<std::string> deep;
        for (std::size_t i = 0; i < 64; ++i) {
            const std::size_t room = i * (rooms / 64);
            tokens.push_back(bench.token_check(room));
            users.push_back(fmt::format("/v3/apps/demo/rooms/room-{:06}/users", room));
            pages.push_back(fmt::format("{}&cursor=room-{:06}", page, room * 98 / 100));
            deep.push_back(names + std::to_string(room * 98 / 100));
        }
        const Figures token = bench.measure(calls, tokens, false);
        const Figures list = bench.measure(calls, users, true);
        const Figures many = bench.measure(calls, pages, true);
        const Figures far = bench.measure(calls, deep, true);
        const auto show = [](const Figures& f) {
            return fmt::format(R"({{"per_second":{:.0f},"p50_us":{:.1f},"p99_us":{:.1f}}})",
                               f.per_second,
                               f.p50_us,
                               f.p99_us);
        };
        // A page that looked at every room would cost a hundred times as much; names in a larger
        // tree cost a little.
        constexpr double kMostGrowth = 3;
        const double growth = std::max(many.p50_us / few.p50_us, far.p50_us / few_names.p50_us);
        fmt::print(
            R"({{"rooms":{},"calls":{},"token_check":{},"list_users":{},"room_page":{},"name_page":{},"room_page_of_few":{},"name_page_of_few":{},"growth":{:.2f}}})"
            "\n",
            rooms,
            calls,
            show(token),
            show(list),
            show(many),
            show(far),
            show(few),
            show(few_names),
            growth);
        result = growth > kMostGrowth ? 1 : 0;
    }
    (*courier)->stop();
    store->store()->stop();
    std::filesystem::remove_all(folder);
    return result;
}

}  // namespace
}  // namespace parley::server

int main(int argc, char** argv) {
    const auto number = [&](int at, std::size_t fallback) {
        return argc > at ? static_cast<std::size_t>(std::strtoul(argv[at], nullptr, 10)) : fallback;
    };
    return parley::server::run(number(1, 10'000), number(2, 20'000));
}
