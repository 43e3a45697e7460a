/* The store of voices: what comes in speaks, what does not leaves nothing behind, what is loaded
 * stays within the budget. */
#include <string.h>
#include <sys/stat.h>

#include <kodama/voice_store.h>

#include "voice/rvc_graphs.h"

static char folder[600];

/* A new place for voices, with a models folder beside it, in a scratch folder. */
static struct kodama_voice_store *open_store(uint64_t budget)
{
    struct kodama_voice_store_config config = KODAMA_VOICE_STORE_CONFIG_INIT;
    struct kodama_voice_store *store;
    config.folder = folder;
    config.budget_bytes = budget;
    config.n_threads = 1;
    assert_int_equal(kodama_voice_store_open(&store, &config, NULL), KODAMA_OK);
    return store;
}

static int begin(void **state)
{
    (void)state;
    const char *scratch = test_scratch(".home");
    unlink(scratch);
    snprintf(folder, sizeof folder, "%s/kodama/voices", scratch);
    return 0;
}

static int end(void **state)
{
    (void)state;
    char command[1400];
    char home[600];
    snprintf(home, sizeof home, "%.*s", (int)(strlen(folder) - strlen("/kodama/voices")), folder);
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return system(command);
}

static int import(struct kodama_voice_store *store, const char *name, const char *generator,
                  const char *encoder, struct kodama_error *error)
{
    struct kodama_voice_import what = KODAMA_VOICE_IMPORT_INIT;
    what.name = name;
    what.generator = rvc_graph(generator);
    what.encoder = encoder ? rvc_graph(encoder) : NULL;
    return kodama_voice_store_import(store, &what, error);
}

static void need(int status, const struct kodama_error *error)
{
    if (status < 0) fail_msg("%s", error->message);
}

static const char *write_file(const char *suffix, const void *bytes, size_t n)
{
    const char *path = test_scratch(suffix);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    return path;
}

static int n_files(const char *path)
{
    char command[700], line[32] = "-1";
    snprintf(command, sizeof command, "ls -A '%s' 2>/dev/null | wc -l", path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(line, sizeof line, pipe));
    pclose(pipe);
    return atoi(line);
}

static void a_voice_comes_in_with_everything_and_is_found_again(void **state)
{
    (void)state;
    struct kodama_voice_store *store = open_store(0);
    struct kodama_voice_import what = KODAMA_VOICE_IMPORT_INIT;
    struct kodama_voice_entry entry;
    struct kodama_error error = {0};
    static float vectors[40 * 768];
    char npy[128 + sizeof vectors] = "\x93NUMPY\x01";
    snprintf(npy + 10, 118, "{'descr': '<f4', 'fortran_order': False, 'shape': (40, 768), }");
    npy[8] = 118;
    for (size_t i = 0; i < 40 * 768; i++) vectors[i] = (float)(i % 97);
    memcpy(npy + 128, vectors, sizeof vectors);
    assert_int_equal(kodama_voice_store_list(store, NULL, 0, NULL), 0);
    what.name = "Robin-1";
    what.generator = rvc_graph("B-sine");
    what.encoder = rvc_graph("content-768");
    what.index = write_file(".npy", npy, sizeof npy);
    what.picture = write_file(".jpg", "\x89PNG\r\n\x1a\n0000", 12);
    what.licence = write_file(".txt", "Free for all.\n", 14);
    what.transpose = 12.0f;
    what.protect = 0.25f;
    need(kodama_voice_store_import(store, &what, &error), &error);
    assert_int_equal(kodama_voice_store_list(store, &entry, 1, NULL), 1);
    assert_string_equal(entry.name, "Robin-1");
    assert_true(entry.is_whole && !entry.is_loaded && entry.has_pitch && !entry.rmvpe);
    assert_int_equal(entry.dialect, 'B');
    assert_int_equal(entry.version, 2);
    assert_int_equal(entry.rate_hz, 40000);
    assert_true(entry.transpose == 12.0f && entry.protect == 0.25f && entry.index_rate == 0.75f);
    assert_non_null(strstr(entry.index, "/Robin-1/voice.kvi"));
    assert_non_null(strstr(entry.picture, "/Robin-1/picture.png"));
    assert_non_null(strstr(entry.licence, "/Robin-1/LICENCE.txt"));
    assert_int_equal(
        access(entry.index, R_OK) | access(entry.picture, R_OK) | access(entry.licence, R_OK), 0);
    struct kodama_voice_model *model;
    struct kodama_voice_model_facts facts;
    need(kodama_voice_store_load(store, "Robin-1", &model, &error), &error);
    kodama_voice_model_facts(model, &facts);
    assert_string_equal(facts.name, "Robin-1");
    assert_int_equal(facts.n_index, 40);
    kodama_voice_model_close(model);
    assert_int_equal(kodama_voice_store_find(store, "Robin-1", &entry, NULL), KODAMA_OK);
    assert_true(entry.is_loaded);
    /* The encoder is everybody's now: the next one needs none. */
    need(import(store, "other", "A-echo", NULL, &error), &error);
    assert_int_equal(kodama_voice_store_list(store, NULL, 0, NULL), 2);
    assert_int_equal(kodama_voice_store_remove(store, "Robin-1", &error), KODAMA_OK);
    assert_int_equal(kodama_voice_store_find(store, "Robin-1", &entry, &error),
                     KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "Robin-1"));
    kodama_voice_store_close(store);
}

static void what_cannot_speak_leaves_nothing_behind(void **state)
{
    (void)state;
    struct kodama_voice_store *store = open_store(0);
    struct kodama_error error = {0};
    static const struct {
        const char *generator, *encoder;
        int status;
    } cases[] = {{"foreign", "content-768", KODAMA_ERR_FORMAT},
                 {"B-echo", "content-256", KODAMA_ERR_FORMAT},
                 {"B-echo", NULL, KODAMA_ERR_NOT_FOUND},
                 {"operator", "content-768", KODAMA_ERR_UNSUPPORTED}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(import(store, "no", cases[i].generator, cases[i].encoder, &error),
                         cases[i].status);
        assert_int_equal(n_files(folder), 0);
    }
    assert_int_equal(import(store, "../out", "B-echo", "content-768", &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(import(store, ".hidden", "B-echo", "content-768", &error),
                     KODAMA_ERR_ARGUMENT);
    assert_int_equal(import(store, "", "B-echo", "content-768", &error), KODAMA_ERR_ARGUMENT);
    struct kodama_voice_import what = KODAMA_VOICE_IMPORT_INIT;
    what.name = "no";
    what.generator = rvc_graph("B-echo");
    what.encoder = rvc_graph("content-768");
    what.picture = write_file(".png", "no picture at all", 17);
    assert_int_equal(kodama_voice_store_import(store, &what, &error), KODAMA_ERR_FORMAT);
    assert_int_equal(n_files(folder), 0);
    kodama_voice_store_close(store);
}

static void a_voice_is_replaced_only_when_asked_and_only_by_one_that_speaks(void **state)
{
    (void)state;
    struct kodama_voice_store *store = open_store(0);
    struct kodama_voice_entry entry;
    struct kodama_error error = {0};
    need(import(store, "v", "B-sine", "content-768", &error), &error);
    assert_int_equal(import(store, "v", "C-sine", NULL, &error), KODAMA_ERR_BUSY);
    struct kodama_voice_import what = KODAMA_VOICE_IMPORT_INIT;
    what.name = "v";
    what.replace = true;
    what.generator = rvc_graph("foreign");
    assert_int_equal(kodama_voice_store_import(store, &what, &error), KODAMA_ERR_FORMAT);
    assert_int_equal(kodama_voice_store_find(store, "v", &entry, NULL), KODAMA_OK);
    assert_true(entry.is_whole && entry.dialect == 'B');
    what.generator = rvc_graph("C-sine");
    need(kodama_voice_store_import(store, &what, &error), &error);
    assert_int_equal(kodama_voice_store_find(store, "v", &entry, NULL), KODAMA_OK);
    assert_true(entry.is_whole && entry.dialect == 'C');
    assert_int_equal(n_files(folder), 1);
    kodama_voice_store_close(store);
}

static void a_damaged_folder_is_listed_with_what_is_wrong(void **state)
{
    (void)state;
    struct kodama_voice_store *store = open_store(0);
    struct kodama_voice_entry entry;
    struct kodama_voice_model *model;
    struct kodama_error error = {0};
    char path[800];
    need(import(store, "v", "B-sine", "content-768", &error), &error);
    snprintf(path, sizeof path, "%s/v/generator.onnx", folder);
    unlink(path);
    assert_int_equal(kodama_voice_store_list(store, &entry, 1, NULL), 1);
    assert_false(entry.is_whole);
    assert_non_null(strstr(entry.problem, "generator.onnx"));
    assert_int_equal(kodama_voice_store_load(store, "v", &model, &error), KODAMA_ERR_CORRUPT);
    assert_null(model);
    snprintf(path, sizeof path, "%s/v/voice.json", folder);
    FILE *file = fopen(path, "w");
    fputs("{\"format\": 1, \"index\": \"../../../etc/passwd\"", file);
    fclose(file);
    assert_int_equal(kodama_voice_store_find(store, "v", &entry, NULL), KODAMA_OK);
    assert_false(entry.is_whole);
    file = fopen(path, "w");
    fputs("{\"format\": 1, \"picture\": \"../../../etc/passwd\"}", file);
    fclose(file);
    assert_int_equal(kodama_voice_store_find(store, "v", &entry, NULL), KODAMA_OK);
    assert_true(!entry.is_whole && entry.picture[0] == 0);
    assert_int_equal(kodama_voice_store_remove(store, "v", &error), KODAMA_OK);
    kodama_voice_store_close(store);
}

static void the_budget_unloads_the_one_that_was_used_the_longest_ago(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c"};
    struct kodama_voice_store *store = open_store(0);
    struct kodama_voice_model *models[3];
    struct kodama_voice_entry entries[3];
    struct kodama_error error = {0};
    need(import(store, "a", "B-sine", "content-768", &error), &error);
    need(import(store, "b", "A-echo", NULL, &error), &error);
    need(import(store, "c", "C-last", NULL, &error), &error);
    for (int i = 0; i < 3; i++) {
        need(kodama_voice_store_load(store, names[i], &models[i], &error), &error);
        kodama_voice_model_close(models[i]);
    }
    uint64_t all = kodama_voice_store_loaded(store);
    /* The same voice again is the same model. */
    struct kodama_voice_model *again;
    need(kodama_voice_store_load(store, "c", &again, &error), &error);
    assert_ptr_equal(again, models[2]);
    kodama_voice_model_close(again);
    kodama_voice_store_close(store);

    store = open_store(all - 1); /* two of them */
    need(kodama_voice_store_load(store, "a", &models[0], &error), &error);
    need(kodama_voice_store_load(store, "b", &models[1], &error), &error);
    kodama_voice_model_close(models[1]);
    need(kodama_voice_store_load(store, "c", &models[2], &error), &error);
    assert_int_equal(kodama_voice_store_list(store, entries, 3, NULL), 3);
    assert_true(entries[0].is_loaded && !entries[1].is_loaded && entries[2].is_loaded);
    assert_true(kodama_voice_store_loaded(store) < all);
    /* Both speak: there is no room for a third, and neither is taken away. */
    assert_int_equal(kodama_voice_store_load(store, "b", &models[1], &error), KODAMA_ERR_LIMIT);
    assert_null(models[1]);
    kodama_voice_model_close(models[2]);
    need(kodama_voice_store_load(store, "b", &models[1], &error), &error);
    kodama_voice_store_close(store);
    struct kodama_voice_model_facts facts; /* who has one keeps it */
    kodama_voice_model_facts(models[0], &facts);
    assert_string_equal(facts.name, "a");
    kodama_voice_model_close(models[0]);
    kodama_voice_model_close(models[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_voice_comes_in_with_everything_and_is_found_again, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_cannot_speak_leaves_nothing_behind, begin, end),
        cmocka_unit_test_setup_teardown(
            a_voice_is_replaced_only_when_asked_and_only_by_one_that_speaks, begin, end),
        cmocka_unit_test_setup_teardown(a_damaged_folder_is_listed_with_what_is_wrong, begin, end),
        cmocka_unit_test_setup_teardown(the_budget_unloads_the_one_that_was_used_the_longest_ago,
                                        begin, end),
    };
    return cmocka_run_group_tests_name("voice_store", tests, NULL, NULL);
}
