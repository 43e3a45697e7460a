/* What kind of file a sound is in, as its first bytes say. */
#include "command/container.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 4096 };

struct head {
    unsigned char bytes[HEAD_BYTES];
    size_t n;
};

static bool has(const struct head *head, size_t at, const char *bytes, size_t n_bytes)
{
    return head->n >= at + n_bytes && memcmp(head->bytes + at, bytes, n_bytes) == 0;
}

static unsigned number(const struct head *head, size_t at)
{
    return at + 2 <= head->n ? head->bytes[at] | (unsigned)head->bytes[at + 1] << 8 : 0;
}

/* The tag of the "fmt " chunk: Microsoft's list of WAVE formats (RFC 2361). */
static const char *wav_codec(const struct head *head)
{
    for (size_t at = 12; at + 10 <= head->n;) {
        size_t n_bytes = number(head, at + 4) | (size_t)number(head, at + 6) << 16;
        if (has(head, at, "fmt ", 4)) {
            unsigned tag = number(head, at + 8);
            /* Extensible: the real tag begins the GUID at its end. */
            if (tag == 0xFFFE) tag = number(head, at + 8 + 24);
            switch (tag) {
            case 0x0001: return "PCM";
            case 0x0002: return "MS ADPCM";
            case 0x0003: return "PCM";
            case 0x0006: return "A-law";
            case 0x0007: return "u-law";
            case 0x0011: return "IMA ADPCM";
            case 0x0031: return "GSM 6.10";
            case 0x0055: return "MP3";
            }
            return NULL;
        }
        at += 8 + n_bytes + (n_bytes & 1);
    }
    return NULL;
}

static const char *ogg_codec(const struct head *head)
{
    /* Behind the first page's header: 27 bytes and one for each segment. */
    size_t at = head->n > 26 ? 27 + (size_t)head->bytes[26] : 0;
    if (has(head, at, "OpusHead", 8)) return "Opus";
    if (has(head, at, "\x01vorbis", 7)) return "Vorbis";
    if (has(head, at,
            "\x7F"
            "FLAC",
            5))
        return "FLAC";
    if (has(head, at, "Speex", 5)) return "Speex";
    return NULL;
}

static void recognise(const struct head *head, struct container *container)
{
    static const struct {
        size_t at;
        const char *bytes, *name, *codec;
    } magics[] = {
        {0, "fLaC", "FLAC", "FLAC"}, {8, "AIFF", "AIFF", "PCM"}, {8, "AIFC", "AIFF-C", NULL},
        {0, "caff", "CAF", NULL},    {0, ".snd", "AU", NULL},    {0, "riff", "Wave64", "PCM"},
        {0, "ID3", "MPEG", "MP3"},
    };
    bool wave = has(head, 8, "WAVE", 4);
    if (wave && (has(head, 0, "RIFF", 4) || has(head, 0, "RIFX", 4) || has(head, 0, "RF64", 4) ||
                 has(head, 0, "BW64", 4))) {
        container->name = head->bytes[1] == 'I' ? "WAV" : "RF64";
        container->codec = wav_codec(head);
    } else if (has(head, 0, "OggS", 4)) {
        container->name = "Ogg";
        container->codec = ogg_codec(head);
    } else if (head->n > 2 && head->bytes[0] == 0xFF && (head->bytes[1] & 0xE6) == 0xE2) {
        /* Eleven bits of synchronisation, then layer III. */
        container->name = "MPEG";
        container->codec = "MP3";
    }
    for (size_t i = 0; !container->name && i < sizeof magics / sizeof magics[0]; i++) {
        if (!has(head, magics[i].at, magics[i].bytes, strlen(magics[i].bytes))) continue;
        container->name = magics[i].name;
        container->codec = magics[i].codec;
    }
}

struct container container_of_file(const char *path)
{
    struct container container = {.n_bytes = -1};
    struct stat about;
    if (stat(path, &about) < 0 || !S_ISREG(about.st_mode)) return container;
    container.n_bytes = (int64_t)about.st_size;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return container;
    struct head head;
    ssize_t n = read(fd, head.bytes, sizeof head.bytes);
    close(fd);
    head.n = n > 0 ? (size_t)n : 0;
    recognise(&head, &container);
    return container;
}
