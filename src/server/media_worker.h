#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/pool.h"
#include "dtls/endpoint.h"
#include "sfu/audio_level.h"
#include "sfu/counters.h"
#include "server/report_box.h"
#include "server/stream_messages.h"
#include "server/stream_port.h"
#include "sfu/media_api.h"

namespace parley::server {

struct MediaWorkerConfig {
    WorkerId worker{1};
    /// Addresses to bind; empty = all (0.0.0.0 and ::).
    std::vector<IpAddress> listen;
    /// UDP and TCP port of this worker (`media.port_base` + n); 0 = any free one, for tests.
    std::uint16_t port = 0;
    /// Extra addresses announced as candidates (NAT, load balancer), besides all local ones.
    std::vector<IpAddress> public_addresses;
    /// Only `public_addresses` (or, if empty, `listen`) are announced when true.
    bool announce_only_public = false;
    bool enable_tcp = true;
    bool include_loopback = true;  ///< announce 127.0.0.1, so that a browser on this machine connects
    int pin_cpu = -1;              ///< -1: the scheduler decides

    /// RTMP: a listening socket that the workers share; -1: none. Borrowed.
    int stream_listener = -1;
    int stream_tls_listener = -1;  ///< the same for RTMPS
    /// Where sound and pictures are converted; null: not at all, and no RTMP. Outlives the worker.
    codec::Pool* codecs = nullptr;
    /// Called on the worker's thread, like the event sink.
    std::function<void(WorkerId, StreamNotice)> on_stream;
    /// What peers did, every `sfu::kReportGrain` and when they leave; null: nobody asks. Outlives the worker.
    ReportBox* reports = nullptr;
};

/// Called on the worker's thread; must be quick and must not block.
using MediaEventSink = std::function<void(WorkerId, std::vector<sfu::MediaEvent>)>;

/// One media thread with its own UDP and TCP port, peers, tracks, timers and pools (design section 2).
/// Shares nothing: commands go in and events come out by bounded mailboxes.
class MediaWorker {
public:
    static constexpr std::size_t kMaxMailbox = 65'536;
    static constexpr Duration kLevelsAskedFor = 10s;

    /// Binds the sockets and starts the thread. kConflict when the port is taken, kSystem when the system
    /// refuses; `detail` then names the address and the system's reason.
    static Result<std::unique_ptr<MediaWorker>> start(const MediaWorkerConfig& config,
                                                      dtls::Factory& dtls,
                                                      const MediaEventSink& sink,
                                                      std::string& detail);
    ~MediaWorker();
    MediaWorker(const MediaWorker&) = delete;
    MediaWorker& operator=(const MediaWorker&) = delete;

    [[nodiscard]] sfu::WorkerInfo info() const;
    /// Thread-safe. False, and nothing done, when the mailbox is full.
    bool post(sfu::MediaCommand command);
    /// The same for RTMP connections.
    bool post(StreamCommand command);
    /// Thread-safe; at most some hundred milliseconds old.
    [[nodiscard]] sfu::MediaCounters counters() const;
    [[nodiscard]] StreamPortCounters stream_counters() const;
    /// Thread-safe; by track, as old as `counters`. They are gathered only while somebody asks: the first question
    /// after `kLevelsAskedFor` is answered with nothing.
    [[nodiscard]] std::vector<sfu::TrackLevel> audio_levels() const;
    /// Ends the thread and closes the sockets; peers get a close_notify.
    void stop();

private:
    struct Impl;
    static Result<std::unique_ptr<MediaWorker>> start_once(const MediaWorkerConfig& config,
                                                           dtls::Factory& dtls,
                                                           MediaEventSink sink,
                                                           std::string& detail);
    explicit MediaWorker(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace parley::server
