#include "loadgen/report.h"

#include <boost/json.hpp>

#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace parley::loadgen {
namespace {

namespace json = boost::json;

double rounded(double value, double step) { return std::round(value / step) * step; }
double milliseconds(Duration d) { return rounded(to_seconds(d) * 1e3, 0.001); }

json::object percentiles(const Histogram& h) {
    return {{"count", h.count()},
            {"p50", milliseconds(h.percentile(0.5))},
            {"p90", milliseconds(h.percentile(0.9))},
            {"p95", milliseconds(h.percentile(0.95))},
            {"p99", milliseconds(h.percentile(0.99))},
            {"max", milliseconds(h.max())}};
}

/// Figures that need the server's process.
struct ServerFigures {
    Duration cpu{};
    double packets_per_cpu_second = 0;
    double bits_per_cpu_second = 0;
    double bytes_per_subscriber = 0;
};
std::optional<ServerFigures> server_figures(const Options& options, const Measurement& m) {
    if (!m.server_before || !m.server_after) return std::nullopt;
    ServerFigures f;
    f.cpu = m.server_after->cpu - m.server_before->cpu;
    if (f.cpu.count() > 0) {
        f.packets_per_cpu_second = static_cast<double>(m.counters.received_packets) / to_seconds(f.cpu);
        f.bits_per_cpu_second = 8 * static_cast<double>(m.counters.received_bytes) / to_seconds(f.cpu);
    }
    const double subscribers = static_cast<double>(options.rooms) * options.subscribers;
    if (m.server_idle && subscribers > 0) {
        f.bytes_per_subscriber = (static_cast<double>(m.server_before->rss_bytes) -
                                  static_cast<double>(m.server_idle->rss_bytes)) / subscribers;
    }
    return f;
}

__attribute__((format(printf, 2, 3))) void line(std::string& out, const char* format, ...) {
    char buffer[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(buffer, sizeof(buffer), format, arguments);
    va_end(arguments);
    out += buffer;
    out += '\n';
}

}  // namespace

std::string to_json(const Options& options, const Totals& totals, const Measurement& m) {
    const double seconds = to_seconds(m.wall);
    const Counters& c = m.counters;
    json::object out{
        {"rooms", options.rooms},
        {"publishers", options.rooms * options.publishers},
        {"subscribers", options.rooms * options.subscribers},
        {"ready", m.ready},
        {"failed", m.failed},
        {"first_failure", m.first_failure},
        {"measured_seconds", rounded(seconds, 0.001)},
        {"forwarded",
         {{"packets", c.received_packets},
          {"packets_per_second", rounded(static_cast<double>(c.received_packets) / seconds, 1)},
          {"bits_per_second", rounded(8 * static_cast<double>(c.received_bytes) / seconds, 1)},
          {"audio", c.received_audio},
          {"video", c.received_video},
          {"rtx", c.received_rtx}}},
        {"published", {{"packets", c.sent_packets}, {"frames", c.sent_frames}, {"late_frames", c.late_frames},
                       {"key_frame_requests", c.key_frame_requests}, {"retransmitted", c.retransmitted},
                       {"send_errors", c.send_errors}}},
        {"loss", {{"video_lost", c.lost_packets}, {"nacked", c.nacked}, {"recovered", c.recovered},
                  {"audio_lost", m.audio_lost}, {"not_authentic", c.not_authentic}, {"malformed", c.malformed},
                  {"unknown_ssrc", c.unknown_ssrc}}},
        {"pictures", {{"decodable", c.decodable_frames}, {"undecodable", c.undecodable_frames},
                      {"vanished", c.vanished_frames}, {"plis_sent", c.plis_sent}}},
        {"delay_ms", percentiles(totals.delay)},
        {"join_ms", percentiles(totals.joined)},
        {"connected_ms", percentiles(totals.connected)},
        {"first_packet_ms", percentiles(totals.first_packet)},
        {"first_frame_ms", percentiles(totals.first_frame)},
        {"generator", {{"cpu_percent", rounded(100 * to_seconds(m.own_cpu) / seconds, 0.1)}}},
    };
    if (const auto f = server_figures(options, m)) {
        out["server"] = {{"cpu_seconds", rounded(to_seconds(f->cpu), 0.001)},
                         {"cpu_percent", rounded(100 * to_seconds(f->cpu) / seconds, 0.1)},
                         {"packets_per_cpu_second", rounded(f->packets_per_cpu_second, 1)},
                         {"bits_per_cpu_second", rounded(f->bits_per_cpu_second, 1)},
                         {"rss_bytes", m.server_before->rss_bytes},
                         {"rss_bytes_without_subscribers", m.server_idle ? m.server_idle->rss_bytes : 0},
                         {"rss_bytes_at_end", m.server_after->rss_bytes},
                         {"pss_bytes", m.server_before->pss_bytes},
                         {"memory_bytes_per_subscriber", rounded(f->bytes_per_subscriber, 1)},
                         {"threads", m.server_after->threads}};
    }
    return json::serialize(out) + "\n";
}

std::string to_text(const Options& options, const Totals& totals, const Measurement& m) {
    const double seconds = to_seconds(m.wall);
    const Counters& c = m.counters;
    std::string out;
    line(out, "clients         %llu ready, %llu failed%s%s", static_cast<unsigned long long>(m.ready),
         static_cast<unsigned long long>(m.failed), m.first_failure.empty() ? "" : ": ", m.first_failure.c_str());
    line(out, "forwarded       %.0f packets/s, %.1f Mb/s in %.1f s", static_cast<double>(c.received_packets) / seconds,
         8e-6 * static_cast<double>(c.received_bytes) / seconds, seconds);
    if (const auto f = server_figures(options, m)) {
        line(out, "server          %.1f %% CPU, %.0f packets per CPU second, %.2f Gb per CPU second",
             100 * to_seconds(f->cpu) / seconds, f->packets_per_cpu_second, 1e-9 * f->bits_per_cpu_second);
        line(out, "server memory   %.1f MB, %.1f KB for each subscriber",
             static_cast<double>(m.server_before->rss_bytes) / 1e6, f->bytes_per_subscriber / 1024);
    }
    line(out, "loss            video %llu, audio %lld, recovered %llu, not authentic %llu",
         static_cast<unsigned long long>(c.lost_packets), static_cast<long long>(m.audio_lost),
         static_cast<unsigned long long>(c.recovered), static_cast<unsigned long long>(c.not_authentic));
    line(out, "pictures        %llu decodable, %llu not, %llu vanished",
         static_cast<unsigned long long>(c.decodable_frames), static_cast<unsigned long long>(c.undecodable_frames),
         static_cast<unsigned long long>(c.vanished_frames));
    const auto row = [&](const char* name, const Histogram& h) {
        line(out, "%-15s p50 %.3f  p95 %.3f  p99 %.3f  max %.3f ms  (%llu)", name, milliseconds(h.percentile(0.5)),
             milliseconds(h.percentile(0.95)), milliseconds(h.percentile(0.99)), milliseconds(h.max()),
             static_cast<unsigned long long>(h.count()));
    };
    row("delay", totals.delay);
    row("join", totals.joined);
    row("connected", totals.connected);
    row("first packet", totals.first_packet);
    row("first picture", totals.first_frame);
    line(out, "generator       %.1f %% CPU%s", 100 * to_seconds(m.own_cpu) / seconds,
         to_seconds(m.own_cpu) > 0.9 * seconds ? "  <- saturated, figures are too low" : "");
    return out;
}

}  // namespace parley::loadgen
