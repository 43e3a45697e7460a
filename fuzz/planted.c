/* A harness with planted faults, which shows that the short runs find, keep and name: a large
 * number in digits ends it, by what the input's first word says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    unsigned long long number = 0;
    size_t at = 0;
    while (at < n_bytes && (data[at] < '0' || data[at] > '9')) at++;
    for (; at < n_bytes && data[at] >= '0' && data[at] <= '9'; at++)
        number = number * 10 + (data[at] - '0');
    if (number < 100000) return 0;
    if (n_bytes > 6 && memcmp(data, "signal", 6) == 0) abort();
    if (n_bytes > 6 && memcmp(data, "status", 6) == 0) _exit(3);
    return 0;
}
