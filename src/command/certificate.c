/* A certificate for a server of one's own, signed by itself: P-256, with OpenSSL's libcrypto. */
#include "command/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"
#include "command/output.h"

#ifdef KODAMA_LIBCRYPTO

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum {
    /* Browsers and systems refuse certificates that live for longer. */
    DAYS = 825,
    NAMES_BYTES = 8192,
};

static bool is_name(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*_";
    size_t n = strlen(name);
    return n > 0 && n < 254 && strspn(name, allowed) == n;
}

/* "DNS:localhost,IP:127.0.0.1,..." */
static bool list_names(char *list, const char *const *names, size_t n_names)
{
    size_t n = (size_t)snprintf(list, NAMES_BYTES, "DNS:localhost,IP:127.0.0.1,IP:::1");
    for (size_t i = 0; i < n_names; i++) {
        unsigned char address[16];
        bool is_address = inet_pton(AF_INET, names[i], address) == 1 ||
                          inet_pton(AF_INET6, names[i], address) == 1;
        if (!is_address && !is_name(names[i])) {
            complain("serve",
                     "--cert-name cannot be \"%s\"; it is neither a host name nor an address",
                     names[i]);
            return false;
        }
        n += (size_t)snprintf(list + n, NAMES_BYTES - n, ",%s:%s", is_address ? "IP" : "DNS",
                              names[i]);
        if (n >= NAMES_BYTES) {
            complain("serve", "these are too many names for one certificate");
            return false;
        }
    }
    return true;
}

static bool add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool fill(X509 *certificate, EVP_PKEY *key, const char *names)
{
    unsigned char serial[16];
    if (RAND_bytes(serial, sizeof serial) != 1) return false;
    serial[0] &= 0x7f; /* a positive number */
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    bool done = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    X509_NAME *name = X509_get_subject_name(certificate);
    return done && X509_set_version(certificate, X509_VERSION_3) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -300) &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), DAYS, 0, NULL) &&
           X509_set_pubkey(certificate, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost",
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 &&
           add_extension(certificate, NID_subject_alt_name, names) &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

/* A new file that nobody else can read, with what was written to a BIO. */
static bool save(const char *path, BIO *from)
{
    char *bytes;
    long n = BIO_get_mem_data(from, &bytes);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        complain("serve",
                 errno == EEXIST ? "%s is there already, and is kept; remove it first"
                                 : "cannot make %s: %s",
                 path, error_words(errno));
        return false;
    }
    bool written = n > 0 && write(fd, bytes, (size_t)n) == (ssize_t)n;
    int number = errno;
    if (close(fd) == 0 && written) return true;
    complain("serve", "cannot write %s: %s", path, error_words(number));
    unlink(path);
    return false;
}

static int make(const char *certificate_path, const char *key_path, const char *names)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    BIO *pem_key = BIO_new(BIO_s_mem()), *pem = BIO_new(BIO_s_mem());
    bool made = key && certificate && pem && pem_key && fill(certificate, key, names) &&
                PEM_write_bio_PrivateKey(pem_key, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                PEM_write_bio_X509(pem, certificate) == 1;
    if (!made) complain("serve", "libcrypto could not make the certificate");
    bool saved = made && save(key_path, pem_key);
    if (saved && !save(certificate_path, pem)) {
        unlink(key_path);
        saved = false;
    }
    BIO_free(pem);
    BIO_free(pem_key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return saved ? EXIT_DONE : EXIT_FAILED;
}

int certificate_make(const char *certificate, const char *key, const char *const *names,
                     size_t n_names)
{
    char list[NAMES_BYTES];
    if (!list_names(list, names, n_names)) return EXIT_USAGE;
    return make(certificate, key, list);
}

#else

int certificate_make(const char *certificate, const char *key, const char *const *names,
                     size_t n_names)
{
    (void)certificate;
    (void)key;
    (void)names;
    (void)n_names;
    complain("serve",
             "this build makes no certificates; install libssl-dev and build Kodama again");
    return EXIT_FAILED;
}

#endif
