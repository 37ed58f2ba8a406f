#include "server/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <utility>

namespace parley::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<std::pair<std::string, std::string>>;

std::vector<ClientMetric::Label> to_labels(const Labels& labels) {
    std::vector<ClientMetric::Label> out;
    for (const auto& [name, value] : labels) out.push_back({name, value});
    return out;
}

class Families {
public:
    void gauge(const char* name, const char* help, double value, const Labels& labels = {}) {
        ClientMetric metric;
        metric.label = to_labels(labels);
        metric.gauge.value = value;
        family(name, help, MetricType::Gauge).metric.push_back(std::move(metric));
    }
    void counter(const char* name, const char* help, std::uint64_t value, const Labels& labels = {}) {
        ClientMetric metric;
        metric.label = to_labels(labels);
        metric.counter.value = static_cast<double>(value);
        family(name, help, MetricType::Counter).metric.push_back(std::move(metric));
    }
    /// `counts` has one entry more than `bounds`.
    template <class Bounds, class Counts>
    void histogram(const char* name,
                   const char* help,
                   const Bounds& bounds,
                   double bound_unit,
                   const Counts& counts,
                   double sum,
                   const Labels& labels = {}) {
        ClientMetric metric;
        metric.label = to_labels(labels);
        std::uint64_t so_far = 0;
        for (std::size_t i = 0; i < counts.size(); ++i) {
            so_far += counts[i];
            const double bound = i < bounds.size() ? static_cast<double>(bounds[i]) * bound_unit
                                                   : std::numeric_limits<double>::infinity();
            metric.histogram.bucket.push_back({so_far, bound});
        }
        metric.histogram.sample_count = so_far;
        metric.histogram.sample_sum = sum;
        family(name, help, MetricType::Histogram).metric.push_back(std::move(metric));
    }
    [[nodiscard]] std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

private:
    MetricFamily& family(const char* name, const char* help, MetricType type) {
        for (MetricFamily& known : families_) {
            if (known.name == name) return known;
        }
        families_.push_back({name, help, type, {}});
        return families_.back();
    }

    std::vector<MetricFamily> families_;
};

void add_hub(Families& out, const signalling::HubStats& hub) {
    out.gauge("parley_sessions", "Signalling connections", static_cast<double>(hub.sessions));
    out.gauge("parley_rooms", "Rooms", static_cast<double>(hub.rooms));
    out.gauge("parley_members", "Members of rooms, those away included", static_cast<double>(hub.members));
    out.gauge("parley_members_away", "Members whose signalling connection is lost", static_cast<double>(hub.away));
    out.gauge("parley_mini_programs", "Mini programs among the members", static_cast<double>(hub.mini_programs));
    out.gauge("parley_viewers", "WHEP viewers", static_cast<double>(hub.viewers));
    out.gauge("parley_tracks", "Published tracks", static_cast<double>(hub.tracks));
    out.gauge("parley_subscriptions", "Subscriptions to tracks", static_cast<double>(hub.subscriptions));
    out.gauge("parley_peers", "Peer connections", static_cast<double>(hub.peers));
    out.counter("parley_joins_total", "Joins by result", hub.joins, {{"result", "ok"}});
    out.counter("parley_joins_total", "", hub.joins_refused, {{"result", "refused"}});
    out.counter("parley_reconnects_total", "Members that came back", hub.reconnects);
    out.counter("parley_signalling_messages_total", "Messages from clients", hub.messages_in);
    out.counter("parley_signalling_refused_total", "Messages and connections refused, by reason", hub.malformed,
                {{"reason", "malformed"}});
    out.counter("parley_signalling_refused_total", "", hub.rate_limited, {{"reason", "rate"}});
    out.counter("parley_signalling_refused_total", "", hub.slow_consumers, {{"reason", "slow"}});
    out.counter("parley_signalling_lost_total", "Connections and members given up, by reason", hub.pong_timeouts,
                {{"reason", "pong"}});
    out.counter("parley_signalling_lost_total", "", hub.auth_timeouts, {{"reason", "auth"}});
    out.counter("parley_signalling_lost_total", "", hub.grace_expired, {{"reason", "grace"}});
    out.counter("parley_peers_failed_total", "Peer connections that failed", hub.peers_failed);
}

void add_http(Families& out, const io::HttpCounters& http) {
    out.gauge("parley_http_connections", "Open TCP connections", static_cast<double>(http.connections));
    out.gauge("parley_http_websockets", "Open WebSockets", static_cast<double>(http.websockets));
    out.gauge("parley_http_receiving_bytes", "Half-received bodies and messages",
              static_cast<double>(http.receiving_bytes));
    out.gauge("parley_http_sending_bytes", "WebSocket text not yet sent", static_cast<double>(http.sending_bytes));
    out.counter("parley_http_accepted_total", "Connections accepted", http.accepted);
    out.counter("parley_http_requests_total", "Requests answered", http.requests);
    out.counter("parley_http_refused_total", "Connections and requests refused, by reason", http.refused_full,
                {{"reason", "full"}});
    out.counter("parley_http_refused_total", "", http.bad_requests, {{"reason", "bad_request"}});
    out.counter("parley_http_refused_total", "", http.timed_out, {{"reason", "timeout"}});
    out.counter("parley_http_refused_total", "", http.tls_failed, {{"reason", "tls"}});
    out.counter("parley_http_refused_total", "", http.ws_slow_closed, {{"reason", "slow"}});
    out.counter("parley_http_refused_total", "", http.accept_errors, {{"reason", "accept"}});
    out.counter("parley_http_handler_failures_total", "Requests that failed inside", http.handler_failed);
    out.counter("parley_websocket_messages_total", "WebSocket messages", http.ws_messages_in, {{"direction", "in"}});
    out.counter("parley_websocket_messages_total", "", http.ws_messages_out, {{"direction", "out"}});
    out.counter("parley_websocket_bytes_total", "WebSocket payload", http.ws_bytes_in, {{"direction", "in"}});
    out.counter("parley_websocket_bytes_total", "", http.ws_bytes_out, {{"direction", "out"}});
}

void add_streams(Families& out, const WorkerMetrics& entry) {
    const StreamPortCounters& s = entry.streams;
    const std::string worker = std::to_string(entry.worker.value);
    const Labels plain{{"worker", worker}};
    out.gauge("parley_rtmp_connections", "RTMP connections of a worker", static_cast<double>(s.connections), plain);
    out.gauge("parley_rtmp_publishers", "RTMP publishers", static_cast<double>(s.gateway.publishers), plain);
    out.gauge("parley_rtmp_players", "RTMP players", static_cast<double>(s.gateway.players), plain);
    out.gauge("parley_rtmp_conversions", "Tracks that are converted from codec to codec now",
              static_cast<double>(s.gateway.conversions), plain);
    out.counter("parley_rtmp_accepted_total", "RTMP connections accepted", s.accepted, plain);
    constexpr const char* kRefused = "RTMP connections, publishes and plays refused or ended, by reason";
    const auto because = [&worker](const char* reason) {
        return Labels{{"worker", worker}, {"reason", reason}};
    };
    out.counter("parley_rtmp_refused_total", kRefused, s.refused_full, because("full"));
    out.counter("parley_rtmp_refused_total", "", s.timed_out, because("timeout"));
    out.counter("parley_rtmp_refused_total", "", s.tls_failed, because("tls"));
    out.counter("parley_rtmp_refused_total", "", s.malformed, because("malformed"));
    out.counter("parley_rtmp_refused_total", "", s.rejected, because("rejected"));
    out.counter("parley_rtmp_refused_total", "", s.gateway.slow_players, because("slow"));
    out.counter("parley_rtmp_refused_total", "", s.gateway.no_conversion, because("codec"));
    out.counter("parley_rtmp_bytes_total", "Bytes of RTMP connections", s.bytes_in,
                {{"worker", worker}, {"direction", "in"}});
    out.counter("parley_rtmp_bytes_total", "", s.bytes_out, {{"worker", worker}, {"direction", "out"}});
    out.counter("parley_rtmp_frames_total", "Frames from publishers and to players", s.gateway.frames_in,
                {{"worker", worker}, {"direction", "in"}});
    out.counter("parley_rtmp_frames_total", "", s.gateway.frames_out, {{"worker", worker}, {"direction", "out"}});
    out.counter("parley_rtmp_dropped_frames_total", "Frames dropped for slow players", s.gateway.dropped_frames,
                plain);
    constexpr double kMicrosecond = 1e-6;
    out.histogram("parley_rtmp_player_delay_seconds", "From the arrival of media to the write for a player",
                  sfu::DelayHistogram::kBoundsUs, kMicrosecond, s.player_delay.counts,
                  static_cast<double>(s.player_delay.sum_us) * kMicrosecond, plain);
}

void add_worker(Families& out, const WorkerMetrics& entry) {
    const sfu::MediaCounters& m = entry.media;
    const std::string worker = std::to_string(entry.worker.value);
    const auto with = [&worker](std::initializer_list<std::pair<std::string, std::string>> more) {
        Labels labels{{"worker", worker}};
        labels.insert(labels.end(), more.begin(), more.end());
        return labels;
    };
    const Labels plain = with({});
    out.gauge("parley_media_peers", "Peers of a worker", static_cast<double>(m.peers), plain);
    out.gauge("parley_media_tracks", "Tracks of a worker", static_cast<double>(m.tracks), plain);
    out.gauge("parley_media_subscriptions", "Subscriptions of a worker", static_cast<double>(m.subscriptions), plain);

    constexpr const char* kPackets = "RTP packets by kind and direction; rtx are retransmissions";
    const char* packets = "parley_media_packets_total";
    out.counter(packets, kPackets, m.audio_packets_in, with({{"kind", "audio"}, {"direction", "in"}}));
    out.counter(packets, kPackets, m.video_packets_in, with({{"kind", "video"}, {"direction", "in"}}));
    out.counter(packets, kPackets, m.rtx_packets_in, with({{"kind", "rtx"}, {"direction", "in"}}));
    out.counter(packets, kPackets, m.audio_packets_out, with({{"kind", "audio"}, {"direction", "out"}}));
    out.counter(packets, kPackets, m.video_packets_out, with({{"kind", "video"}, {"direction", "out"}}));
    out.counter(packets, kPackets, m.rtx_packets_out, with({{"kind", "rtx"}, {"direction", "out"}}));
    out.counter("parley_media_datagrams_total", "Datagrams of every kind", m.packets_in, with({{"direction", "in"}}));
    out.counter("parley_media_datagrams_total", "", m.packets_out, with({{"direction", "out"}}));
    out.counter("parley_media_bytes_total", "Bytes of datagrams", m.bytes_in, with({{"direction", "in"}}));
    out.counter("parley_media_bytes_total", "", m.bytes_out, with({{"direction", "out"}}));
    constexpr const char* kBytes = "Bytes of RTP packets by kind and direction, without retransmissions";
    const char* bytes = "parley_media_rtp_bytes_total";
    out.counter(bytes, kBytes, m.audio_bytes_in, with({{"kind", "audio"}, {"direction", "in"}}));
    out.counter(bytes, kBytes, m.video_bytes_in, with({{"kind", "video"}, {"direction", "in"}}));
    out.counter(bytes, kBytes, m.audio_bytes_out, with({{"kind", "audio"}, {"direction", "out"}}));
    out.counter(bytes, kBytes, m.video_bytes_out, with({{"kind", "video"}, {"direction", "out"}}));
    out.counter("parley_media_padding_bytes_total", "Padding that makes runs of one size", m.padding_bytes_out, plain);
    out.counter("parley_media_send_calls_total", "Messages handed to the kernel", m.send_calls, plain);
    out.counter("parley_media_gso_refused_total", "Destinations that fell back to single packets", m.gso_refused,
                plain);
    out.counter("parley_media_send_dropped_total", "Packets that the kernel did not take", m.send_dropped, plain);

    out.gauge("parley_media_estimate_bps",
              "Bit rates in REMB, summed: told to publishers, heard from subscribers",
              static_cast<double>(m.told_bps),
              with({{"direction", "in"}}));
    out.gauge("parley_media_estimate_bps", "", static_cast<double>(m.heard_bps), with({{"direction", "out"}}));
    out.counter("parley_media_nack_total", "Packets asked for again", m.nack_in, with({{"direction", "in"}}));
    out.counter("parley_media_nack_total", "", m.nack_out, with({{"direction", "out"}}));
    out.counter("parley_media_nack_missed_total", "Asked for, but no longer kept", m.nack_missed, plain);
    out.counter("parley_media_pli_total", "Key frame requests", m.pli_in, with({{"direction", "in"}}));
    out.counter("parley_media_pli_total", "", m.pli_out, with({{"direction", "out"}}));
    out.counter("parley_media_layer_switches_total", "Simulcast switches", m.layer_switches, plain);
    out.counter("parley_media_stun_total", "STUN messages", m.stun_in, plain);
    out.counter("parley_media_dtls_total", "DTLS datagrams", m.dtls_in, plain);

    constexpr const char* kRefused = "Datagrams dropped, by reason";
    const char* refused = "parley_media_refused_total";
    out.counter(refused, kRefused, m.stun_refused, with({{"reason", "stun"}}));
    out.counter(refused, kRefused, m.srtp_refused, with({{"reason", "srtp"}}));
    out.counter(refused, kRefused, m.unknown_ssrc, with({{"reason", "ssrc"}}));
    out.counter(refused, kRefused, m.malformed, with({{"reason", "malformed"}}));
    out.counter(refused, kRefused, m.unknown_address, with({{"reason", "address"}}));

    out.counter("parley_media_commands_total", "Commands from room control", m.commands, plain);
    out.counter("parley_media_commands_refused_total", "Commands that found the mailbox full", m.commands_refused,
                plain);
    out.gauge("parley_media_mailbox_depth", "Commands that wait", static_cast<double>(m.mailbox_depth), plain);
    out.counter("parley_media_reports_lost_total", "Last reports of peers that found too many waiting", m.reports_lost,
                plain);
    out.counter("parley_media_loop_turns_total", "Turns of a worker's loop", m.loop_turns, plain);
    out.gauge("parley_media_loop_lag_seconds", "Longest turn of late", static_cast<double>(m.loop_lag_us_max) * 1e-6,
              plain);
    constexpr double kMicrosecond = 1e-6;
    out.histogram("parley_media_forwarding_delay_seconds", "From the kernel's receive time to the send call",
                  sfu::DelayHistogram::kBoundsUs, kMicrosecond, m.forwarding_delay.counts,
                  static_cast<double>(m.forwarding_delay.sum_us) * kMicrosecond, plain);
}

}  // namespace

std::string write_metrics(const MetricsSnapshot& snapshot) {
    Families out;
    out.gauge("parley_info", "Version of this server", 1, {{"version", snapshot.version}});
    out.gauge("parley_uptime_seconds", "Time since the start", snapshot.uptime_seconds);
    out.gauge("parley_draining", "1 after SIGTERM", snapshot.draining ? 1 : 0);
    add_hub(out, snapshot.hub);
    add_http(out, snapshot.http);
    for (const WorkerMetrics& worker : snapshot.workers) add_worker(out, worker);
    for (const WorkerMetrics& worker : snapshot.workers) add_streams(out, worker);
    out.histogram("parley_join_time_seconds", "From opening the WebSocket to the first media connection",
                  snapshot.join_time.bounds, 1.0, snapshot.join_time.counts, snapshot.join_time.sum);
    out.histogram("parley_loop_lag_seconds", "How late the control loop runs its timers", snapshot.loop_lag.bounds,
                  1.0, snapshot.loop_lag.counts, snapshot.loop_lag.sum);
    out.counter("parley_commands_dropped_total", "Media commands lost because a mailbox was full",
                snapshot.commands_dropped);
    out.gauge("parley_events_pending", "Media events on their way to room control",
              static_cast<double>(snapshot.events_pending));
    out.counter("parley_events_written_total", "Changes of the event log", snapshot.events_written);
    out.counter("parley_events_lost_total", "Events that found the store full", snapshot.events_lost);
    out.counter("parley_quality_lost_total", "Rooms' points of quality that found the store full", snapshot.quality_lost);
    out.counter("parley_quality_refused_total", "Reports of members beyond those whose quality is watched",
                snapshot.quality_refused);
    out.counter("parley_peer_reports_total", "Reports of what members sent and received", snapshot.peer_reports);
    out.counter("parley_usage_lost_total", "Pieces of usage that found too many rows waiting for the store",
                snapshot.usage_lost);
    out.counter("parley_webhooks_delivered_total", "Deliveries that an app server took", snapshot.courier.delivered);
    out.counter("parley_webhooks_failed_total", "Tries that failed", snapshot.courier.failed_tries);
    out.counter("parley_webhooks_dead_total", "Deliveries given up after the last try", snapshot.courier.dead);
    out.counter("parley_webhooks_read_failures_total", "Times that the outbox could not be read",
                snapshot.courier.read_failures);
    out.gauge("parley_webhooks_waiting", "Deliveries that wait", static_cast<double>(snapshot.courier.waiting));
    out.gauge("parley_webhooks_flying", "Deliveries under way", static_cast<double>(snapshot.courier.flying));
    return out.text();
}

}  // namespace parley::server
