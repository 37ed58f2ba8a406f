#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "io/http_server.h"
#include "server/courier.h"
#include "server/stream_port.h"
#include "sfu/counters.h"
#include "signalling/hub.h"

namespace parley::server {

/// Times in seconds in buckets as Prometheus wants them.
template <std::size_t N>
struct TimeHistogram {
    std::array<double, N> bounds;
    std::array<std::uint64_t, N + 1> counts{};
    double sum = 0;

    void add(double seconds) {
        std::size_t i = 0;
        while (i < N && seconds > bounds[i]) ++i;
        ++counts[i];
        sum += seconds;
    }
};

struct WorkerMetrics {
    WorkerId worker;
    sfu::MediaCounters media;
    StreamPortCounters streams;
};

/// Everything that /metrics shows, copied at one moment.
struct MetricsSnapshot {
    std::string version;
    double uptime_seconds = 0;
    bool draining = false;
    signalling::HubStats hub;
    io::HttpCounters http;
    std::vector<WorkerMetrics> workers;
    /// From the WebSocket's opening to the first media connection of its member.
    TimeHistogram<10> join_time{{0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10}};
    /// How late the control loop runs a timer.
    TimeHistogram<8> loop_lag{{0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1}};
    std::uint64_t commands_dropped = 0;  ///< a worker's mailbox was full
    CourierCounters courier;
    std::uint64_t events_written = 0;    ///< to the log
    std::uint64_t events_lost = 0;       ///< the store was full
    std::uint64_t usage_lost = 0;        ///< too many rows waited for the store
    std::uint64_t peer_reports = 0;      ///< of what members sent and received
    std::uint64_t quality_lost = 0;      ///< stretches of rooms that found the store full
    std::uint64_t quality_refused = 0;   ///< reports of members above the bound
    std::uint64_t events_pending = 0;    ///< media events on their way to control, now
};

/// Prometheus text format. The names are a public interface: docs/metrics.md.
std::string write_metrics(const MetricsSnapshot& snapshot);

}  // namespace parley::server
