/* Tests of processes: who started whom. */
#include "support/support.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"

static void a_process_knows_its_parent_and_program(void **state)
{
    (void)state;
    struct process self;
    assert_true(process_read((uint32_t)getpid(), &self));
    assert_int_equal(self.parent, getppid());
    assert_string_equal(self.name, "test_base_process");
    assert_true(self.path[0] == '/' && self.start > 0);
}

static void a_child_is_within_its_parent_and_not_the_other_way(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_true(child > 0);
    uint32_t pid = (uint32_t)child, self = (uint32_t)getpid();
    assert_true(process_is_within(pid, self));
    assert_true(process_is_within(pid, pid));
    assert_false(process_is_within(self, pid));
    kill(child, SIGKILL);
    /* It has ended, whether or not somebody has asked for its status. */
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    struct process gone;
    assert_false(process_read(pid, &gone));
    waitpid(child, NULL, 0);
    assert_false(process_read(pid, &gone));
    assert_false(process_is_within(pid, self));
}

static void children_that_run_the_same_program_belong_to_its_main_process(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) {
            pause();
            _exit(0);
        }
        if (write(pipes[1], &grandchild, sizeof grandchild) < 0) _exit(1);
        pause();
        _exit(0);
    }
    pid_t grandchild = 0;
    assert_int_equal(read(pipes[0], &grandchild, sizeof grandchild), sizeof grandchild);
    struct process root, self;
    assert_true(process_family_root((uint32_t)getpid(), &self));
    assert_true(process_family_root((uint32_t)grandchild, &root));
    assert_int_equal(root.pid, self.pid);
    assert_string_equal(root.name, "test_base_process");
    kill(grandchild, SIGKILL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(pipes[0]);
    close(pipes[1]);
}

static void programs_of_one_folder_are_a_family_unless_it_is_everybodys(void **state)
{
    (void)state;
    struct process a = {.name = "chrome", .path = "/opt/chrome/chrome"};
    struct process b = {.name = "helper", .path = "/opt/chrome/helper"};
    assert_true(process_is_family(&a, &b));
    struct process shell = {.name = "bash", .path = "/usr/bin/bash"};
    struct process player = {.name = "mpv", .path = "/usr/bin/mpv"};
    assert_false(process_is_family(&shell, &player));
    assert_true(process_is_family(&shell, &shell));
    assert_false(process_is_family(&a, &shell));
    struct process secret = {.name = "mpv"};
    assert_true(process_is_family(&secret, &player)); /* all that is left to compare */
    assert_false(process_is_family(&secret, &shell));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_knows_its_parent_and_program),
        cmocka_unit_test(a_child_is_within_its_parent_and_not_the_other_way),
        cmocka_unit_test(children_that_run_the_same_program_belong_to_its_main_process),
        cmocka_unit_test(programs_of_one_folder_are_a_family_unless_it_is_everybodys),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
