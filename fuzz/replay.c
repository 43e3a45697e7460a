/* Runs a harness on files, for compilers without libFuzzer: its corpus, and each of its files with
 * some bytes changed, the same ones in every run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { FILE_BYTES_MAX = 65536, VARIANTS = 300 };

static int run_file(const char *path)
{
    static uint8_t bytes[FILE_BYTES_MAX], changed[FILE_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    (void)LLVMFuzzerTestOneInput(bytes, n);
    uint64_t state = n;
    for (int i = 0; i < VARIANTS && n > 0; i++) {
        for (size_t k = 0; k < n; k++) changed[k] = bytes[k];
        for (int k = 0; k < 4; k++) {
            /* Numbers as in MMIX (Knuth). */
            state = state * 6364136223846793005u + 1442695040888963407u;
            changed[(state >> 33) % n] = (uint8_t)(state >> 24);
        }
        (void)LLVMFuzzerTestOneInput(changed, n - (state >> 40) % n);
    }
    return 1;
}

int main(int n_words, char **words)
{
    int n_files = 0;
    DIR *folder = n_words > 1 ? opendir(words[1]) : NULL;
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", words[1], entry->d_name);
        n_files += run_file(path);
    }
    if (folder) closedir(folder);
    printf("1..1\n%s 1 - %d files of the corpus and their variants harm nobody\n",
           n_files > 0 ? "ok" : "not ok", n_files);
    return n_files > 0 ? 0 : 1;
}
