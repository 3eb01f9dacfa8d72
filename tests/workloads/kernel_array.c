/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads the module in tests/workloads/counted_array, and lets it increment each element of its array 5 times. */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "speak.h"

#define PARAMETERS "/sys/module/counted_array/parameters/"

int main(void)
{
    char path[4096], text[32] = "";
    int module, parameter;

    snprintf(path, sizeof path, "%s/qemu_mem_tracer_workload/counted_array.ko", getenv("HOME"));
    module = open(path, O_RDONLY);
    if (module < 0 || syscall(SYS_finit_module, module, "", 0)) {
        perror(path);
        return 1;
    }
    parameter = open(PARAMETERS "address", O_RDONLY);
    if (parameter < 0 || read(parameter, text, sizeof text - 1) <= 0) {
        perror(PARAMETERS "address");
        return 1;
    }
    close(parameter);
    parameter = open(PARAMETERS "rounds", O_WRONLY);
    say_ready((void *)strtoul(text, NULL, 10), sizeof(int), 1000);
    if (write(parameter, "5", 1) != 1) {
        perror(PARAMETERS "rounds");
        return 1;
    }
    say_stop();
    return 0;
}
