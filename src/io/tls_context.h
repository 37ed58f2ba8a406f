#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace parley::io {

/// A server's certificate chain and key, ready for TLS 1.2 and 1.3. Immutable once loaded, so that
/// connections share it; a changed certificate is a new context.
class TlsContext {
public:
    /// PEM files. kNotFound: a file cannot be read; kMalformed: not PEM; kConflict: key and certificate do
    /// not belong together.
    static Result<std::shared_ptr<const TlsContext>> load(const std::string& certificate_file,
                                                          const std::string& key_file);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    [[nodiscard]] SSL_CTX* native_handle() const { return context_; }

private:
    explicit TlsContext(SSL_CTX* context) : context_(context) {}
    SSL_CTX* context_;  ///< owned
};

struct SelfSignedCertificate {
    std::string certificate_pem;
    std::string key_pem;
};

/// An ECDSA P-256 certificate for development. `names` are DNS names or IP literals for subjectAltName.
Result<SelfSignedCertificate> make_self_signed_certificate(const std::vector<std::string>& names,
                                                           int valid_days);

}  // namespace parley::io
