#include "loadgen/tcp_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "io/sockaddr.h"

namespace parley::loadgen {

void TcpClient::connect(const SocketAddress& to) {
    fd_ = io::Fd(socket(to.ip.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_.is_open()) return on_closed("socket");
    const int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const io::KernelAddress address = io::to_kernel(to);
    if (::connect(fd_.get(), address.get(), address.length) != 0 && errno != EINPROGRESS) {
        fd_.reset();
        return on_closed("connect");
    }
    connecting_ = true;
    loop_.add(fd_.get(), *this, true);
}

void TcpClient::send(ByteView bytes) {
    if (!fd_.is_open()) return;
    to_send_.insert(to_send_.end(), bytes.begin(), bytes.end());
    if (!connecting_) flush();
}

void TcpClient::disconnect() {
    if (!fd_.is_open()) return;
    loop_.remove(fd_.get());
    fd_.reset();
}

void TcpClient::fail_with(const char* why) {
    disconnect();
    on_closed(why);
}

void TcpClient::flush() {
    while (sent_ < to_send_.size()) {
        const ssize_t n = ::send(fd_.get(), to_send_.data() + sent_, to_send_.size() - sent_, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR) return fail_with("send");
            break;
        }
        sent_ += static_cast<std::size_t>(n);
    }
    if (sent_ == to_send_.size()) {
        to_send_.clear();
        sent_ = 0;
    }
    loop_.modify(fd_.get(), *this, !to_send_.empty());
}

void TcpClient::handle_io(Instant, bool readable, bool writable) {
    if (!fd_.is_open()) return;  // closed by an earlier event of the same turn
    if (connecting_) {
        int error = 0;
        socklen_t size = sizeof(error);
        getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return fail_with("connect");
        if (!writable) return;
        connecting_ = false;
        on_connected();
        if (!fd_.is_open()) return;
    }
    if (writable && !to_send_.empty()) flush();
    if (!readable || !fd_.is_open()) return;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled as far as it is read
    std::array<char, 16384> buffer;
    bool closed = false;
    while (true) {
        const ssize_t n = recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) {
            closed = true;
            break;
        }
        received_.append(buffer.data(), static_cast<std::size_t>(n));
        if (received_.size() > kMaxBuffered) return fail_with("peer sends too much");
    }
    if (!received_.empty()) on_data();
    if (closed && fd_.is_open()) fail_with("closed by peer");
}

}  // namespace parley::loadgen
