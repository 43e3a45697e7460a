/* Graphs: any inputs and outputs by name, every type, open shapes, metadata, sharing, damage. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/thread.h"
#include "neural/graph.h"
#include "neural/onnx.h"
#include "neural/runtime.h"

/* Skips the running test where the library is not. */
static void need_runtime(void)
{
    struct kodama_error error = {0};
    struct runtime *runtime;
    if (runtime_open(&runtime, NULL, &error) == KODAMA_OK) {
        runtime_close(runtime);
        return;
    }
    printf("# skipped: %s\n", error.message);
    fflush(stdout);
    skip();
}

static struct graph *open_graph(const char *path)
{
    struct graph_config config = {.path = path};
    struct kodama_error error = {0};
    struct graph *graph;
    if (graph_open(&graph, &config, &error) < 0) fail_msg("%s", error.message);
    return graph;
}

/** output = input, of one type and an open length. */
static const char *identity(int type)
{
    static struct onnx model, graph;
    model.n = graph.n = 0;
    onnx_node(&graph, "Identity", "in", "out", NULL, 0, 0);
    onnx_value(&graph, 11, "in", type, 2, (const int64_t[]){1, -1});
    onnx_value(&graph, 12, "out", type, 2, (const int64_t[]){1, -1});
    onnx_metadata(&model, "author", "a test");
    onnx_metadata(&model, "empty", "");
    onnx_model(&model, &graph);
    return onnx_file(&model, SIZE_MAX);
}

/* Debian's build prints 1,100 lines past its logger when the first model of a process is loaded. */
static void the_first_model_prints_nothing_and_hides_nothing(void **state)
{
    (void)state;
    need_runtime();
    const char *path = test_scratch(".txt"), *model = identity(ONNX_F32);
    fflush(stderr);
    int saved = dup(STDERR_FILENO), file = open(path, O_RDWR | O_TRUNC);
    assert_true(saved >= 0 && file >= 0);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    struct graph_config config = {.path = model};
    struct graph *graph;
    int status = graph_open(&graph, &config, NULL);
    ssize_t n_written = write(STDERR_FILENO, "after\n", 6);
    dup2(saved, STDERR_FILENO);
    close(saved);
    char text[100] = {0};
    ssize_t n = pread(file, text, sizeof text - 1, 0);
    close(file);
    assert_int_equal(n_written, 6);
    assert_int_equal(status, KODAMA_OK);
    graph_close(graph);
    assert_int_equal(n, 6);
    assert_string_equal(text, "after\n");
}

static void every_type_goes_through_by_name(void **state)
{
    (void)state;
    need_runtime();
    static const struct {
        int onnx;
        enum tensor_type type;
    } types[] = {{ONNX_F32, TENSOR_F32},
                 {ONNX_F16, TENSOR_F16},
                 {ONNX_I64, TENSOR_I64},
                 {ONNX_I32, TENSOR_I32}};
    const float values[] = {0.0f, 1.0f, -2.0f, 3.0f, 1024.0f};
    for (size_t i = 0; i < 4; i++) {
        struct graph *graph = open_graph(identity(types[i].onnx));
        struct binding *binding;
        int64_t in[5], out[5];
        float back[5];
        struct tensor_shape shape = {2, {1, 5}};
        assert_int_equal(graph_n_inputs(graph), 1);
        assert_int_equal(graph_n_outputs(graph), 1);
        assert_string_equal(graph_input(graph, 0)->name, "in");
        assert_null(graph_input(graph, 1));
        assert_int_equal(graph_find_output(graph, "out")->type, types[i].type);
        assert_int_equal(graph_find_input(graph, "in")->shape.dims[0], 1);
        assert_int_equal(graph_find_input(graph, "in")->shape.dims[1], -1);
        assert_null(graph_find_input(graph, "out"));
        tensor_from_floats(in, types[i].type, values, 5);
        assert_int_equal(binding_open(&binding, graph, NULL), KODAMA_OK);
        assert_int_equal(binding_input(binding, "in", in, &shape, NULL), KODAMA_OK);
        assert_int_equal(binding_output(binding, "out", out, &shape, NULL), KODAMA_OK);
        assert_int_equal(binding_run(binding, NULL), KODAMA_OK);
        assert_memory_equal(in, out, 5 * tensor_bytes(types[i].type));
        tensor_to_floats(back, out, types[i].type, 5);
        for (int j = 0; j < 5; j++) assert_true(back[j] == values[j]);
        binding_close(binding);
        graph_close(graph);
    }
}

static void an_output_of_unknown_length_is_allocated_by_the_library(void **state)
{
    (void)state;
    need_runtime();
    struct graph *graph = open_graph(identity(ONNX_F32));
    struct binding *binding;
    float in[300];
    const void *data;
    struct tensor_shape shape;
    for (int i = 0; i < 300; i++) in[i] = (float)i;
    assert_int_equal(binding_open(&binding, graph, NULL), KODAMA_OK);
    assert_int_equal(binding_output(binding, "out", NULL, NULL, NULL), KODAMA_OK);
    assert_int_equal(binding_run(binding, NULL), KODAMA_ERR_STATE); /* nothing to run on */
    for (int64_t n = 1; n <= 300; n += 13) {
        assert_int_equal(binding_input(binding, "in", in, &(struct tensor_shape){2, {1, n}}, NULL),
                         KODAMA_OK);
        for (int again = 0; again < 3; again++) {
            assert_int_equal(binding_run(binding, NULL), KODAMA_OK);
            assert_int_equal(binding_result(binding, "out", &data, &shape, NULL), KODAMA_OK);
            assert_int_equal(shape.n_dims, 2);
            assert_int_equal(shape.dims[1], n);
            assert_memory_equal(data, in, (size_t)n * sizeof *in);
        }
    }
    binding_close(binding);
    graph_close(graph);
}

static void what_does_not_fit_is_refused_in_words(void **state)
{
    (void)state;
    need_runtime();
    struct graph *graph = open_graph(identity(ONNX_F32));
    struct binding *binding;
    struct kodama_error error = {0};
    float data[8] = {0};
    assert_int_equal(binding_open(&binding, graph, NULL), KODAMA_OK);
    struct tensor_shape wrong[] = {{1, {8}}, {2, {2, 4}}, {2, {1, 0}}, {2, {1, -1}}, {0, {0}}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(binding_input(binding, "in", data, &wrong[i], &error),
                         KODAMA_ERR_ARGUMENT);
        assert_non_null(strstr(error.message, "\"in\""));
    }
    struct tensor_shape right = {2, {1, 8}};
    assert_int_equal(binding_input(binding, "speech", data, &right, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "speech"));
    assert_int_equal(binding_output(binding, "in", data, &right, &error), KODAMA_ERR_NOT_FOUND);
    assert_int_equal(binding_input(binding, "in", data, &right, NULL), KODAMA_OK);
    assert_int_equal(binding_run(binding, &error), KODAMA_ERR_STATE);
    binding_close(binding);
    graph_close(graph);
    graph = open_graph(identity(ONNX_F64));
    assert_int_equal(binding_open(&binding, graph, NULL), KODAMA_OK);
    assert_int_equal(binding_input(binding, "in", data, &(struct tensor_shape){2, {1, 4}}, &error),
                     KODAMA_ERR_UNSUPPORTED);
    binding_close(binding);
    graph_close(graph);
}

static void metadata_is_read(void **state)
{
    (void)state;
    need_runtime();
    struct graph *graph = open_graph(identity(ONNX_F32));
    assert_string_equal(graph_metadata(graph, "author"), "a test");
    assert_string_equal(graph_metadata(graph, "empty"), "");
    assert_null(graph_metadata(graph, "licence"));
    size_t n = 0;
    while (graph_metadata_key(graph, n)) n++;
    assert_int_equal(n, 2);
    graph_close(graph);
}

static void the_same_file_is_loaded_once_and_a_replaced_one_again(void **state)
{
    (void)state;
    need_runtime();
    const char *path = identity(ONNX_F32), *other = identity(ONNX_I64);
    struct graph *first = open_graph(path), *second = open_graph(path);
    assert_ptr_equal(first, second);
    assert_int_equal(rename(other, path), 0);
    struct graph *third = open_graph(path);
    assert_ptr_not_equal(third, first);
    assert_int_equal(graph_input(third, 0)->type, TENSOR_I64);
    assert_int_equal(graph_input(first, 0)->type, TENSOR_F32);
    graph_close(first);
    assert_int_equal(graph_input(second, 0)->type, TENSOR_F32);
    struct graph_config threads = {.path = path, .n_threads = 2};
    struct graph *fourth;
    assert_int_equal(graph_open(&fourth, &threads, NULL), KODAMA_OK);
    assert_ptr_not_equal(fourth, third);
    graph_close(second);
    graph_close(third);
    graph_close(fourth);
    graph_close(NULL);
}

static void it_can_be_opened_again_after_everything_was_closed(void **state)
{
    (void)state;
    need_runtime();
    const char *path = identity(ONNX_F32);
    for (int i = 0; i < 20; i++) graph_close(open_graph(path));
}

struct opener {
    struct thread thread;
    const char *good, *bad;
    int n_wrong;
};

static void open_and_run(void *argument)
{
    struct opener *opener = argument;
    for (int i = 0; i < 20; i++) {
        struct graph *graph;
        struct binding *binding;
        struct graph_config config = {.path = opener->bad};
        if (graph_open(&graph, &config, NULL) >= 0) opener->n_wrong++;
        config.path = opener->good;
        if (graph_open(&graph, &config, NULL) < 0) {
            opener->n_wrong++;
            continue;
        }
        float in[4] = {(float)i, 2, 3, 4}, out[4] = {0};
        struct tensor_shape shape = {2, {1, 4}};
        if (binding_open(&binding, graph, NULL) == KODAMA_OK) {
            int status = binding_input(binding, "in", in, &shape, NULL);
            if (status == KODAMA_OK) status = binding_output(binding, "out", out, &shape, NULL);
            if (status == KODAMA_OK) status = binding_run(binding, NULL);
            if (status < 0 || memcmp(in, out, sizeof in) != 0) opener->n_wrong++;
        }
        binding_close(binding);
        graph_close(graph);
    }
}

static void many_threads_open_run_and_close(void **state)
{
    (void)state;
    need_runtime();
    struct opener openers[6];
    static const struct onnx nothing = {.bytes = {1, 2, 3}, .n = 3};
    const char *good = identity(ONNX_F32), *bad = onnx_file(&nothing, SIZE_MAX);
    for (int i = 0; i < 6; i++) {
        openers[i] = (struct opener){.good = good, .bad = bad};
        assert_int_equal(
            thread_start(&openers[i].thread, "opener", open_and_run, &openers[i], NULL), KODAMA_OK);
    }
    for (int i = 0; i < 6; i++) thread_join(&openers[i].thread);
    for (int i = 0; i < 6; i++) assert_int_equal(openers[i].n_wrong, 0);
}

static void a_model_cut_off_anywhere_is_an_error_in_words(void **state)
{
    (void)state;
    need_runtime();
    static struct onnx model;
    onnx_silero(&model, 5, -1);
    struct kodama_error error;
    size_t n_refused = 0, n_tried = 0;
    const char *path = test_scratch(".onnx");
    for (size_t n = 0; n < model.n; n += 3, n_tried++) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(model.bytes, 1, n, file), n);
        fclose(file);
        struct graph_config config = {.path = path};
        struct graph *graph;
        error = (struct kodama_error){0};
        int status = graph_open(&graph, &config, &error);
        assert_true(status < 0);
        assert_null(graph);
        assert_non_null(strstr(error.message, path));
        assert_null(strchr(error.message, '\n'));
        n_refused++;
    }
    assert_int_equal(n_refused, n_tried);
}

static void no_file_and_no_provider_are_errors_in_words(void **state)
{
    (void)state;
    need_runtime();
    struct kodama_error error = {0};
    struct graph *graph;
    struct graph_config config = {.path = "/nowhere/model.onnx"};
    assert_int_equal(graph_open(&graph, &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nowhere/model.onnx"));
    config = (struct graph_config){.path = identity(ONNX_F32), .provider = "abacus"};
    assert_int_equal(graph_open(&graph, &config, &error), KODAMA_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "abacus"));
    assert_non_null(strstr(error.message, "cpu"));
    config.provider = "cpu";
    assert_int_equal(graph_open(&graph, &config, &error), KODAMA_OK);
    graph_close(graph);
}

static void halves_are_rounded_to_nearest_even(void **state)
{
    (void)state;
    static const struct {
        float value;
        uint16_t half;
    } known[] = {
        {0.0f, 0x0000},       {-0.0f, 0x8000},      {1.0f, 0x3c00},         {-2.0f, 0xc000},
        {65504.0f, 0x7bff},   {65519.0f, 0x7bff},   {65520.0f, 0x7c00},     {INFINITY, 0x7c00},
        {0x1p-14f, 0x0400},   {0x1p-24f, 0x0001},   {0x1p-25f, 0x0000},     {0x1.8p-24f, 0x0002},
        {0x1.002p0f, 0x3c00}, {0x1.006p0f, 0x3c02}, {0x1.ffep-15f, 0x0400}, {-INFINITY, 0xfc00},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint16_t half;
        tensor_from_floats(&half, TENSOR_F16, &known[i].value, 1);
        assert_int_equal(half, known[i].half);
    }
    for (uint32_t half = 0; half < 65536; half++) {
        uint16_t given = (uint16_t)half, back;
        float value;
        tensor_to_floats(&value, &given, TENSOR_F16, 1);
        tensor_from_floats(&back, TENSOR_F16, &value, 1);
        if (value == value)
            assert_int_equal(back, given);
        else
            assert_int_equal(back & 0x7c00, 0x7c00);
    }
    const float far[] = {1e30f, -1e30f, NAN, 2.5f};
    int64_t longs[4];
    int32_t ints[4];
    tensor_from_floats(longs, TENSOR_I64, far, 4);
    tensor_from_floats(ints, TENSOR_I32, far, 4);
    assert_true(longs[0] == INT64_MAX && longs[1] == INT64_MIN && longs[2] == 0 && longs[3] == 2);
    assert_true(ints[0] == INT32_MAX && ints[1] == INT32_MIN && ints[2] == 0 && ints[3] == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_model_prints_nothing_and_hides_nothing), /* first */
        cmocka_unit_test(every_type_goes_through_by_name),
        cmocka_unit_test(an_output_of_unknown_length_is_allocated_by_the_library),
        cmocka_unit_test(what_does_not_fit_is_refused_in_words),
        cmocka_unit_test(metadata_is_read),
        cmocka_unit_test(the_same_file_is_loaded_once_and_a_replaced_one_again),
        cmocka_unit_test(it_can_be_opened_again_after_everything_was_closed),
        cmocka_unit_test(many_threads_open_run_and_close),
        cmocka_unit_test(a_model_cut_off_anywhere_is_an_error_in_words),
        cmocka_unit_test(no_file_and_no_provider_are_errors_in_words),
        cmocka_unit_test(halves_are_rounded_to_nearest_even),
    };
    return cmocka_run_group_tests_name("neural/graph", tests, NULL, NULL);
}
