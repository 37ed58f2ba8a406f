// The machine's limit: encrypt and send, nothing else. One thread encrypts packets from one shared payload
// into a send arena and sends them to many sockets on loopback, in bursts of one datagram or of several in
// one UDP_SEGMENT message. What a media server reaches is to be read against this number of the same run.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "srtp/session.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace {

using parley::srtp::Backend;
using parley::srtp::Profile;

struct Options {
    int destinations = 100;
    std::size_t payload_size = 1200;
    double seconds = 2;
    int cpu = -1;
    bool reader = false;  ///< a second thread empties the sockets; else their queues overflow
    bool json = false;
    Profile profile = Profile::kAeadAes128Gcm;
    Backend backend = Backend::kAuto;
};

struct Measurement {
    int burst = 0;
    std::uint64_t packets = 0;
    double cpu_seconds = 0;
    double wall_seconds = 0;

    [[nodiscard]] double packets_per_cpu_second() const {
        return cpu_seconds > 0 ? static_cast<double>(packets) / cpu_seconds : 0;
    }
};

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

double seconds_of(clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

void pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) die("sched_setaffinity");
}

class Socket {
public:
    Socket() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        if (fd_ < 0) die("socket");
    }
    ~Socket() {
        if (fd_ >= 0) close(fd_);
    }
    Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Socket& operator=(Socket&&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

    void set(int level, int name, int value) const {
        if (setsockopt(fd_, level, name, &value, sizeof(value)) != 0) die("setsockopt");
    }
    sockaddr_in bind_to_loopback() const {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
        if (bind(fd_, generic, size) != 0 || getsockname(fd_, generic, &size) != 0) die("bind");
        return address;
    }

private:
    int fd_;
};

/// Empties the destination sockets on another core until it is told to stop.
void drain(const std::vector<Socket>& sockets, const std::atomic<bool>& stop) {
    std::vector<pollfd> waiting;
    for (const Socket& s : sockets) waiting.push_back({s.fd(), POLLIN, 0});
    std::vector<std::uint8_t> buffer(65536);
    while (!stop.load(std::memory_order_relaxed)) {
        if (poll(waiting.data(), waiting.size(), 20) <= 0) continue;
        for (const pollfd& w : waiting) {
            if ((w.revents & POLLIN) == 0) continue;
            while (recv(w.fd, buffer.data(), buffer.size(), 0) > 0) {
            }
        }
    }
}

/// One burst to every destination: encrypted, then handed over with one sendmmsg.
class Blaster {
public:
    Blaster(const Options& options, std::size_t burst, const std::vector<sockaddr_in>& destinations)
        : burst_(burst),
          segment_(kHeaderSize + options.payload_size + rtp_overhead(options.profile)),
          payload_(options.payload_size, 0x5a),
          arena_(destinations.size() * burst * segment_ + parley::srtp::kMaxOverhead),
          addresses_(destinations),
          vectors_(destinations.size()),
          controls_(destinations.size()),
          messages_(destinations.size()) {
        for (std::size_t i = 0; i < destinations.size(); ++i) {
            parley::srtp::MasterKey key;
            key.key[0] = static_cast<std::uint8_t>(i);
            auto sender = parley::srtp::Sender::create(options.profile, key, options.backend);
            if (!sender) {
                std::fprintf(stderr, "%s\n", sender.error().what);
                std::exit(1);
            }
            senders_.push_back(*std::move(sender));
            prepare_message(i);
        }
    }

    void encrypt_round() {
        for (std::size_t i = 0; i < senders_.size(); ++i) {
            for (std::size_t k = 0; k < burst_; ++k) {
                std::uint8_t* const packet = arena_.data() + (i * burst_ + k) * segment_;
                const std::uint64_t index = next_index_ + k;
                std::memset(packet, 0, kHeaderSize);
                packet[0] = 0x80;
                packet[1] = 96;
                parley::store_u16(packet + 2, static_cast<std::uint16_t>(index));
                parley::store_u32(packet + 8, static_cast<std::uint32_t>(i + 1));
                senders_[i].protect_rtp(packet, kHeaderSize, payload_, index);
            }
        }
        next_index_ += burst_;
    }

    /// Returns how many packets the kernel took.
    std::uint64_t send_round(int fd) {
        std::size_t sent = 0;
        while (sent < messages_.size()) {
            const int n = sendmmsg(fd, messages_.data() + sent, static_cast<unsigned>(messages_.size() - sent), 0);
            if (n <= 0) {
                if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR) continue;
                die("sendmmsg");
            }
            sent += static_cast<std::size_t>(n);
        }
        return sent * burst_;
    }

private:
    static constexpr std::size_t kHeaderSize = 12;
    struct alignas(cmsghdr) Control {
        unsigned char bytes[CMSG_SPACE(sizeof(std::uint16_t))];
    };

    void prepare_message(std::size_t i) {
        vectors_[i] = {arena_.data() + i * burst_ * segment_, burst_ * segment_};
        msghdr& m = messages_[i].msg_hdr;
        m = {};
        m.msg_name = &addresses_[i];
        m.msg_namelen = sizeof(sockaddr_in);
        m.msg_iov = &vectors_[i];
        m.msg_iovlen = 1;
        if (burst_ == 1) return;
        m.msg_control = controls_[i].bytes;
        m.msg_controllen = sizeof(controls_[i].bytes);
        cmsghdr* const c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = IPPROTO_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        const auto size = static_cast<std::uint16_t>(segment_);
        std::memcpy(CMSG_DATA(c), &size, sizeof(size));
    }

    std::size_t burst_;
    std::size_t segment_;
    std::uint64_t next_index_ = 0;
    std::vector<std::uint8_t> payload_;
    std::vector<std::uint8_t> arena_;
    std::vector<sockaddr_in> addresses_;
    std::vector<iovec> vectors_;
    std::vector<Control> controls_;
    std::vector<mmsghdr> messages_;
    std::vector<parley::srtp::Sender> senders_;
};

/// `send` false measures the encryption alone.
Measurement measure(const Options& options, int burst, bool send) {
    std::vector<Socket> sockets(static_cast<std::size_t>(options.destinations));
    std::vector<sockaddr_in> addresses;
    for (const Socket& s : sockets) {
        s.set(SOL_SOCKET, SO_RCVBUF, options.reader ? 1 << 20 : 4096);
        addresses.push_back(s.bind_to_loopback());
    }
    const Socket sending;
    sending.bind_to_loopback();
    sending.set(SOL_SOCKET, SO_SNDBUF, 4 << 20);

    Blaster blaster(options, static_cast<std::size_t>(burst), addresses);
    std::atomic<bool> stop{false};
    std::thread reader;
    if (options.reader) {
        reader = std::thread([&] {
            if (options.cpu >= 0) pin_to(options.cpu == 0 ? 1 : 0);
            drain(sockets, stop);
        });
    }
    const auto round = [&]() -> std::uint64_t {
        blaster.encrypt_round();
        return send ? blaster.send_round(sending.fd())
                    : static_cast<std::uint64_t>(options.destinations) * static_cast<std::uint64_t>(burst);
    };
    for (int i = 0; i < 50; ++i) round();  // warm caches and routes

    Measurement m{.burst = burst};
    const double wall_start = seconds_of(CLOCK_MONOTONIC);
    const double cpu_start = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    while (seconds_of(CLOCK_MONOTONIC) - wall_start < options.seconds) {
        for (int i = 0; i < 10; ++i) m.packets += round();
    }
    m.cpu_seconds = seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
    m.wall_seconds = seconds_of(CLOCK_MONOTONIC) - wall_start;
    stop = true;
    if (reader.joinable()) reader.join();
    return m;
}

Options parse(int argc, char** argv) {
    Options o;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        const char* const value = i + 1 < argc ? argv[i + 1] : "";
        if (name == "--json") {
            o.json = true;
        } else if (name == "--reader") {
            o.reader = true;
        } else if (name == "--openssl") {
            o.backend = Backend::kOpenSsl;
        } else if (name == "--cm") {
            o.profile = Profile::kAes128CmHmacSha1_80;
        } else if (name == "--cpu" && ++i) {
            o.cpu = std::atoi(value);
        } else if (name == "--seconds" && ++i) {
            o.seconds = std::atof(value);
        } else if (name == "--destinations" && ++i) {
            o.destinations = std::atoi(value);
        } else {
            std::fprintf(stderr,
                         "limit_bench [--cpu N] [--seconds S] [--destinations N] [--reader] [--cm] [--openssl] "
                         "[--json]\n");
            std::exit(2);
        }
    }
    if (o.destinations < 1 || o.destinations > 1000 || o.seconds <= 0 || o.seconds > 600) {
        std::fprintf(stderr, "1 to 1000 destinations, at most 600 seconds\n");
        std::exit(2);
    }
    return o;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    if (options.cpu >= 0) pin_to(options.cpu);
    std::vector<Measurement> results;
    const Measurement encryption = measure(options, 1, false);
    for (const int burst : {1, 4, 5, 8}) results.push_back(measure(options, burst, true));

    if (options.json) {
        std::printf("{\"destinations\":%d,\"payload_bytes\":%zu,\"reader\":%s,\"encrypt_only_pps\":%.0f,\"cases\":[",
                    options.destinations, options.payload_size, options.reader ? "true" : "false",
                    encryption.packets_per_cpu_second());
        const char* separator = "";
        for (const Measurement& m : results) {
            std::printf("%s{\"burst\":%d,\"packets_per_cpu_second\":%.0f,\"packets\":%llu,\"cpu_seconds\":%.3f,"
                        "\"wall_seconds\":%.3f}",
                        separator, m.burst, m.packets_per_cpu_second(),
                        static_cast<unsigned long long>(m.packets), m.cpu_seconds, m.wall_seconds);
            separator = ",";
        }
        std::printf("]}\n");
        return 0;
    }
    std::printf("encryption alone: %10.0f packets per CPU second\n", encryption.packets_per_cpu_second());
    for (const Measurement& m : results) {
        std::printf("bursts of %d:      %10.0f packets per CPU second (%.2f s of CPU in %.2f s)\n", m.burst,
                    m.packets_per_cpu_second(), m.cpu_seconds, m.wall_seconds);
    }
    return 0;
}
