/* Retrieval: plain files made of numpy's arrays and of faiss' indexes, what is found in them, and
 * files that are no index. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "voice/rvc_graphs.h"
#include "voice/rvc_index.h"

enum { DIMS = 256, N_VECTORS = 2000, N_QUERIES = 50 };

/* A file beside the models; skips where it is not. */
static const char *data(const char *name)
{
    static char paths[4][600];
    static size_t next;
    char *path = paths[next++ % 4];
    const char *build = getenv("KODAMA_BUILD");
    snprintf(path, sizeof paths[0], "%s/tests/voice/rvc_graphs/%s", build ? build : "build", name);
    if (access(path, R_OK) != 0) {
        printf("# skipped: no %s (Debian's python3-onnx or python3-faiss was not there)\n", name);
        fflush(stdout);
        skip();
    }
    return path;
}

static void read_floats(const char *name, float *values, size_t n)
{
    FILE *file = fopen(data(name), "rb");
    assert_non_null(file);
    assert_int_equal(fread(values, sizeof *values, n, file), n);
    fclose(file);
}

static struct rvc_index *import(const char *name)
{
    struct kodama_error error = {0};
    struct rvc_index *index = NULL;
    const char *path = test_scratch(".kvi");
    if (rvc_index_write(data(name), path, &error) < 0 ||
        rvc_index_open(&index, path, DIMS, &error) < 0)
        fail_msg("%s", error.message);
    return index;
}

static double largest_difference(const float *a, const float *b, size_t n)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);
        if (!(difference <= most)) most = difference;
    }
    return most;
}

static void an_index_of_faiss_gives_what_faiss_gives(void **state)
{
    (void)state;
    static float queries[N_QUERIES * DIMS], expected[N_QUERIES * DIMS];
    read_floats("queries.f32", queries, N_QUERIES * DIMS);
    read_floats("trained.f32", expected, N_QUERIES * DIMS);
    struct rvc_index *index = import("trained.index");
    assert_int_equal(rvc_index_dims(index), DIMS);
    assert_int_equal(rvc_index_vectors(index), N_VECTORS);
    rvc_index_retrieve(index, queries, N_QUERIES, 1.0f);
    assert_true(largest_difference(queries, expected, N_QUERIES * DIMS) < 2e-3);
    rvc_index_close(index);
}

static void vectors_of_numpy_find_what_an_exact_search_finds(void **state)
{
    (void)state;
    static float queries[N_QUERIES * DIMS], expected[N_QUERIES * DIMS];
    read_floats("exact.f32", expected, N_QUERIES * DIMS);
    static const char *const names[] = {"vectors.npy", "half.npy"};
    for (int k = 0; k < 2; k++) {
        read_floats("queries.f32", queries, N_QUERIES * DIMS);
        struct rvc_index *index = import(names[k]);
        rvc_index_retrieve(index, queries, N_QUERIES, 1.0f);
        size_t same = 0; /* only 4 of the lists are looked through */
        for (size_t i = 0; i < N_QUERIES; i++)
            same += largest_difference(queries + i * DIMS, expected + i * DIMS, DIMS) < 0.02;
        assert_true(same >= N_QUERIES * 9 / 10);
        rvc_index_close(index);
    }
}

static void the_rate_says_how_far_features_are_drawn(void **state)
{
    (void)state;
    static float queries[N_QUERIES * DIMS], whole[N_QUERIES * DIMS], part[N_QUERIES * DIMS];
    read_floats("queries.f32", queries, N_QUERIES * DIMS);
    memcpy(whole, queries, sizeof whole);
    memcpy(part, queries, sizeof part);
    struct rvc_index *index = import("vectors.npy");
    rvc_index_retrieve(index, whole, N_QUERIES, 1.0f);
    rvc_index_retrieve(index, part, N_QUERIES, 0.75f);
    for (size_t i = 0; i < N_QUERIES * DIMS; i++)
        assert_true(fabsf(part[i] - 0.75f * whole[i] - 0.25f * queries[i]) < 1e-4f);
    memcpy(part, queries, sizeof part);
    rvc_index_retrieve(index, part, N_QUERIES, 0.0f);
    assert_memory_equal(part, queries, sizeof part);
    rvc_index_close(index);
}

static void a_vector_of_the_index_is_found_exactly(void **state)
{
    (void)state;
    static float file[N_VECTORS * DIMS + 64];
    FILE *npy = fopen(data("vectors.npy"), "rb");
    assert_non_null(npy);
    assert_int_equal(fseek(npy, 128, SEEK_SET), 0);
    assert_int_equal(fread(file, sizeof *file, N_VECTORS * DIMS, npy), N_VECTORS * DIMS);
    fclose(npy);
    struct rvc_index *index = import("vectors.npy");
    for (size_t i = 0; i < N_VECTORS; i += 97) {
        float feature[DIMS];
        memcpy(feature, file + i * DIMS, sizeof feature);
        rvc_index_retrieve(index, feature, 1, 1.0f);
        assert_true(largest_difference(feature, file + i * DIMS, DIMS) < 1e-4);
    }
    rvc_index_close(index);
}

static void what_is_no_index_is_refused_in_words(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    const char *to = test_scratch(".kvi");
    assert_int_equal(rvc_index_write("/nowhere/at/all", to, &error), KODAMA_ERR_NOT_FOUND);
    assert_int_equal(rvc_index_write(data("turned.npy"), to, &error), KODAMA_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "row by row"));
    const char *foreign = rvc_graph("foreign");
    assert_int_equal(rvc_index_write(foreign, to, &error), KODAMA_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "numpy"));
    assert_non_null(strstr(error.message, "faiss"));
}

static void another_kind_of_faiss_index_is_refused(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    const char *to = test_scratch(".kvi");
    assert_int_equal(rvc_index_write(data("flat.index"), to, &error), KODAMA_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "IVF-Flat"));
}

/* Cuts a file after n bytes. */
static const char *cut(const char *path, size_t n)
{
    static uint8_t bytes[4 << 20];
    const char *to = test_scratch(".cut");
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, n, file), n);
    fclose(file);
    file = fopen(to, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
    return to;
}

static size_t size_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return (size_t)info.st_size;
}

static void files_that_are_cut_short_are_refused_and_leave_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"vectors.npy", "trained.index"};
    for (int k = 0; k < 2; k++) {
        const char *whole = data(names[k]), *to = test_scratch(".kvi");
        size_t n = size_of(whole);
        const size_t cuts[] = {0, 5, 17, 60, 130, 1000, n / 2, n - 1};
        for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
            struct kodama_error error = {0};
            unlink(to);
            int status = rvc_index_write(cut(whole, cuts[i]), to, &error);
            assert_true(status == KODAMA_ERR_CORRUPT || status == KODAMA_ERR_UNSUPPORTED);
            assert_true(error.message[0]);
            assert_int_not_equal(access(to, F_OK), 0);
        }
    }
    const char *plain = test_scratch(".kvi");
    assert_int_equal(rvc_index_write(data("vectors.npy"), plain, NULL), KODAMA_OK);
    size_t n = size_of(plain);
    const size_t cuts[] = {0, 7, 39, 40, 5000, n / 2, n - 4};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct rvc_index *index;
        assert_int_equal(rvc_index_open(&index, cut(plain, cuts[i]), 0, NULL), KODAMA_ERR_CORRUPT);
        assert_null(index);
    }
    struct rvc_index *index;
    struct kodama_error error = {0};
    assert_int_equal(rvc_index_open(&index, plain, 768, &error), KODAMA_ERR_FORMAT);
    assert_non_null(strstr(error.message, "256"));
    assert_non_null(strstr(error.message, "768"));
}

/* With bytes changed at random: refused, or an index that can be searched; never a crash. */
static void damaged_files_are_refused_or_can_be_searched(void **state)
{
    (void)state;
    static const char *const names[] = {"small.npy", "small.index", NULL};
    const char *plain = test_scratch(".kvi"), *to = test_scratch(".kvi");
    const char *path = test_scratch(".damaged");
    struct test_random random = {11};
    assert_int_equal(rvc_index_write(data("small.npy"), plain, NULL), KODAMA_OK);
    size_t n_refused = 0;
    for (int k = 0; k < 3; k++) {
        static uint8_t whole[65536];
        const char *from = names[k] ? data(names[k]) : plain;
        FILE *file = fopen(from, "rb");
        assert_non_null(file);
        size_t n = fread(whole, 1, sizeof whole, file);
        fclose(file);
        for (int i = 0; i < 400; i++) {
            static uint8_t bytes[65536];
            struct rvc_index *index;
            memcpy(bytes, whole, n);
            for (int j = 0; j < 1 + i % 3; j++) /* mostly in its head */
                bytes[test_random_below(&random, i % 4 ? 200 : n)] =
                    (uint8_t)test_random_next(&random);
            file = fopen(path, "wb");
            assert_int_equal(fwrite(bytes, 1, n, file), n);
            fclose(file);
            if (rvc_index_write(path, to, NULL) == KODAMA_OK &&
                rvc_index_open(&index, to, 0, NULL) == KODAMA_OK) {
                float *feature = calloc(rvc_index_dims(index), sizeof *feature);
                rvc_index_retrieve(index, feature, 1, 1.0f);
                free(feature);
                rvc_index_close(index);
            } else {
                n_refused++;
            }
        }
    }
    assert_true(n_refused > 100);
}

static void a_plain_index_is_imported_as_it_is(void **state)
{
    (void)state;
    const char *once = test_scratch(".kvi"), *twice = test_scratch(".kvi");
    assert_int_equal(rvc_index_write(data("vectors.npy"), once, NULL), KODAMA_OK);
    assert_int_equal(rvc_index_write(once, twice, NULL), KODAMA_OK);
    static uint8_t a[4 << 20], b[4 << 20];
    size_t n = size_of(once);
    assert_int_equal(size_of(twice), n);
    FILE *first = fopen(once, "rb"), *second = fopen(twice, "rb");
    assert_int_equal(fread(a, 1, n, first), n);
    assert_int_equal(fread(b, 1, n, second), n);
    fclose(first);
    fclose(second);
    assert_memory_equal(a, b, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_of_faiss_gives_what_faiss_gives),
        cmocka_unit_test(vectors_of_numpy_find_what_an_exact_search_finds),
        cmocka_unit_test(the_rate_says_how_far_features_are_drawn),
        cmocka_unit_test(a_vector_of_the_index_is_found_exactly),
        cmocka_unit_test(what_is_no_index_is_refused_in_words),
        cmocka_unit_test(another_kind_of_faiss_index_is_refused),
        cmocka_unit_test(files_that_are_cut_short_are_refused_and_leave_nothing),
        cmocka_unit_test(damaged_files_are_refused_or_can_be_searched),
        cmocka_unit_test(a_plain_index_is_imported_as_it_is),
    };
    return cmocka_run_group_tests_name("rvc_index", tests, NULL, NULL);
}
