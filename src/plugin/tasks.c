/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tasks: see tasks.h.
 *
 * A task is identified by its pid and its start time, because the kernel reuses its structures within milliseconds.
 * Which task a vCPU executes when a run begins can't be read (the kernel's memory isn't mapped while user code runs).
 * That task gets a number that is its vCPU's, and is identified when the vCPU executes the next wanted function of the
 * kernel.
 */
#include "tasks.h"

#include <string.h>

#include "kernel.h"
#include "kernel_functions.h"
#include "kernel_memory.h"
#include "mapping_calls.h"
#include "memories.h"
#include "task_identity.h"
#include "user_stack.h"

#define MAX_CONTEXTS 8 /* interrupts in softirqs, and so on */
#define LEAVES KERNEL_FUNCTION_LEAVES

typedef struct {
    TaskIdentity identity;
    uint32_t number, process; /* both from 1 on */
    uint32_t run;             /* the last run in which it was seen */
    MappingMove move;         /* the arguments of its mremap() */
    uint64_t entry;           /* for kernel_memory.h */
} Task;

typedef struct {
    Task *task; /* NULL: not known yet */
    uint32_t number;
    uint64_t last_event; /* the number of its last event */
    unsigned depth;
    uint8_t context[MAX_CONTEXTS]; /* enum mt_task_context */
} __attribute__((aligned(64))) TaskVcpu;

static GMutex lock;           /* guards all that follows, and memories.c */
static GHashTable *tasks;     /* Task by TaskIdentity */
static GHashTable *processes; /* numbers by TaskIdentity of the first thread */
static uint32_t last_number;
static uint32_t run; /* the number of calls of tasks_begin() */
static TaskVcpu vcpus[RING_MAX_VCPUS];
static void (*process_ends)(uint32_t process);

static bool is_wanted(void)
{
    return ring_fields(plugin.ring) & MT_FIELD_TASK;
}

static void note(unsigned vcpu, Change *change)
{
    uint32_t number = is_wanted() ? ring_add_change(plugin.ring, change) : 0;

    if (number)
        capture_put_event(vcpu, ROW_EVENT_CHANGE, number);
}

/* Puts an event that says what the vCPU does from now on, unless that is the last event. */
static void put_task(unsigned vcpu)
{
    TaskVcpu *self = &vcpus[vcpu];
    uint64_t context = self->depth ? self->context[self->depth - 1] : MT_TASK_RUNS;
    uint64_t number = (uint64_t)self->number << TASK_CONTEXT_BITS | context;

    if (number == self->last_event || !is_wanted())
        return;
    self->last_event = number;
    capture_put_event(vcpu, ROW_EVENT_TASK, number);
}

void tasks_tell_again(unsigned vcpu)
{
    if (vcpus[vcpu].last_event && is_wanted())
        capture_put_event(vcpu, ROW_EVENT_TASK, vcpus[vcpu].last_event);
}

/* Tasks. The caller holds the lock. */

static uint32_t process_number(const TaskIdentity *leader)
{
    uint32_t number;

    if (!processes)
        processes = g_hash_table_new_full(task_identity_hash, task_identity_equal, g_free, NULL);
    number = GPOINTER_TO_UINT(g_hash_table_lookup(processes, leader));
    if (!number) {
        number = g_hash_table_size(processes) + 1;
        g_hash_table_insert(processes, g_memdup2(leader, sizeof *leader), GUINT_TO_POINTER(number));
    }
    return number;
}

static void read_name(uint64_t structure, Change *change)
{
    char name[17] = ""; /* TASK_COMM_LEN, and a 0 */

    if (kernel_read_bytes(structure, KERNEL_TASK_COMM, name, sizeof name - 1))
        strcpy(change->text, name);
    change->text_bytes = (uint16_t)strlen(change->text);
}

static void note_cgroup(unsigned vcpu, const Task *task, uint64_t structure)
{
    uint64_t cgroup = kernel_read_pointer(kernel_read_pointer(structure, KERNEL_TASK_CGROUPS), KERNEL_CSS_SET_CGROUP);
    Change change;

    change_begin(&change, CHANGE_CGROUP, 1);
    change.value[0] = task->number;
    kernel_read_node_path(kernel_read_pointer(cgroup, KERNEL_CGROUP_NODE), change.text);
    change.text_bytes = (uint16_t)strlen(change.text);
    if (change.text_bytes)
        note(vcpu, &change);
}

/* The number of a task's memory. A new process's memory is told as a copy of its parent's; of a memory that is older
 * than the run, its mappings are told. */
static uint32_t memory_of(unsigned vcpu, uint64_t structure, uint64_t parent_structure, bool *is_copy)
{
    bool is_new, other;
    uint64_t mm = kernel_read_pointer(structure, KERNEL_TASK_MM);
    uint32_t number = memories_number(mm, &is_new);

    *is_copy = is_new && parent_structure;
    if (is_new && !parent_structure)
        memories_tell_mapped(vcpu, mm, kernel_read_pointer(structure, KERNEL_TASK_FS), note);

    if (is_new && parent_structure) {
        uint32_t parent = memories_number(kernel_read_pointer(parent_structure, KERNEL_TASK_MM), &other);

        memories_note_values(vcpu, CHANGE_COPY, (const uint64_t[]){ number, parent }, 2, note);
    }
    return number;
}

/* Adds a task that has not been seen before. `number` is that of a vCPU's first task; else 0. */
static Task *add(unsigned vcpu, uint64_t structure, const TaskIdentity *identity, uint32_t number,
                 uint64_t parent_structure)
{
    Task *task = g_new0(Task, 1);
    uint64_t leader_structure = kernel_read_pointer(structure, KERNEL_TASK_LEADER);
    TaskIdentity leader;
    uint32_t tgid = 0;
    bool is_copy;
    Change change;

    kernel_read_u32(structure, KERNEL_TASK_TGID, &tgid);
    if (!task_identity_read(leader_structure ? leader_structure : structure, &leader))
        leader = *identity;
    task->identity = *identity;
    task->number = number ? number : ++last_number;
    task->process = process_number(&leader);
    task->run = run;
    g_hash_table_insert(tasks, &task->identity, task);
    change_begin(&change, CHANGE_TASK, 7);
    change.value[0] = task->number;
    change.value[1] = identity->pid;
    change.value[2] = tgid;
    change.value[3] = identity->start_ns;
    change.value[4] = leader.start_ns;
    change.value[5] = parent_structure ? vcpus[vcpu].number : 0;
    change.value[6] = memory_of(vcpu, structure, parent_structure, &is_copy);
    read_name(structure, &change);
    note(vcpu, &change);
    if (change.value[6] && !is_copy && (parent_structure || tgid != identity->pid))
        user_stack_note(vcpu, task->number, (uint32_t)change.value[6], structure, parent_structure, note);
    note_cgroup(vcpu, task, structure);
    kernel_memory_on_task(vcpu, task->number, structure, note);
    return task;
}

/* A task is known from an earlier run. Its memory may have changed between the runs. */
static void update_task(unsigned vcpu, Task *task, uint64_t structure)
{
    uint32_t memory;
    bool is_copy;

    task->run = run;
    memory = memory_of(vcpu, structure, 0, &is_copy);
    memories_note_values(vcpu, CHANGE_MEMORY, (const uint64_t[]){ task->number, memory }, 2, note);
    if (memory)
        user_stack_note(vcpu, task->number, memory, structure, 0, note);
}

/* The task that a structure stands for; NULL if the guest's memory can't be read. */
static Task *find_or_add(unsigned vcpu, uint64_t structure, uint32_t number, uint64_t parent_structure)
{
    TaskIdentity identity;
    Task *task;

    if (!task_identity_read(structure, &identity))
        return NULL;
    task = g_hash_table_lookup(tasks, &identity);
    if (task && task->run != run)
        update_task(vcpu, task, structure);
    return task ? task : add(vcpu, structure, &identity, number, parent_structure);
}

static void set_task(unsigned vcpu, Task *task)
{
    vcpus[vcpu].task = task;
    vcpus[vcpu].number = task ? task->number : 0;
}

/* Identifies the task that has the number with which a vCPU began. */
static void identify_current(unsigned vcpu, uint64_t structure)
{
    TaskVcpu *self = &vcpus[vcpu];

    if (!self->task && structure && self->number == vcpu + 1)
        set_task(vcpu, find_or_add(vcpu, structure, vcpu + 1, 0));
}

/* The task_struct of the task that executes now. Takes note of a new identity: with exec(), a thread takes its
 * process's pid over. */
static uint64_t current(unsigned vcpu)
{
    uint64_t base, structure = 0;
    Task *task;

    if (!kernel_read_register(KERNEL_GS_BASE, &base))
        return 0;
    structure = kernel_read_pointer(base, KERNEL_CURRENT);
    identify_current(vcpu, structure);
    task = structure ? find_or_add(vcpu, structure, 0, 0) : NULL;
    if (task && task != vcpus[vcpu].task) {
        set_task(vcpu, task);
        put_task(vcpu);
    }
    return structure;
}

/* What the kernel's functions tell. The caller holds the lock; `first` and `second` are their arguments. */

static void on_switch(unsigned vcpu, uint64_t first, uint64_t second)
{
    identify_current(vcpu, first);
    set_task(vcpu, find_or_add(vcpu, second, 0, 0));
    vcpus[vcpu].depth = 0; /* the kernel doesn't switch tasks in an interrupt */
    put_task(vcpu);
}

static void on_new_task(unsigned vcpu, uint64_t structure)
{
    uint64_t parent = current(vcpu);

    find_or_add(vcpu, structure, 0, parent);
}

static void on_name(unsigned vcpu, uint64_t structure, bool executes)
{
    uint64_t self = current(vcpu);
    Change change;
    TaskIdentity identity;
    Task *task;
    bool is_new;

    if (!task_identity_read(structure, &identity) || !(task = g_hash_table_lookup(tasks, &identity)))
        return; /* its name is told when it is first seen */
    if (executes && structure == self) {
        uint64_t mm = kernel_read_pointer(structure, KERNEL_TASK_MM);

        change_begin(&change, CHANGE_EXEC, 2);
        change.value[0] = task->number;
        change.value[1] = memories_number(mm, &is_new);
        kernel_read_path(kernel_read_pointer(mm, KERNEL_MM_FILE), kernel_read_pointer(structure, KERNEL_TASK_FS),
                         change.text);
        change.text_bytes = (uint16_t)strlen(change.text);
        note(vcpu, &change);
    }
    change_begin(&change, CHANGE_NAME, 1);
    change.value[0] = task->number;
    read_name(structure, &change);
    note(vcpu, &change);
}

static void on_end(unsigned vcpu, uint64_t code)
{
    uint64_t self = current(vcpu);
    const Task *task = vcpus[vcpu].task;
    uint32_t live;

    if (!self || !task)
        return;
    memories_note_values(vcpu, CHANGE_EXIT, (const uint64_t[]){ task->number, code }, 2, note);
    if (kernel_read_u32(kernel_read_pointer(self, KERNEL_TASK_SIGNAL), KERNEL_SIGNAL_LIVE, &live) && live == 1)
        process_ends(task->process);
}

static void on_move(unsigned vcpu, uint64_t registers)
{
    current(vcpu);
    if (vcpus[vcpu].task)
        mapping_calls_move(registers, &vcpus[vcpu].task->move);
}

static void on_moved(unsigned vcpu)
{
    uint64_t self = current(vcpu);

    if (vcpus[vcpu].task)
        mapping_calls_moved(vcpu, self, &vcpus[vcpu].task->move, note);
}

static void begin_context(unsigned vcpu, enum mt_task_context context)
{
    TaskVcpu *self = &vcpus[vcpu];

    if (!self->task) /* if it is known, it is still the same task */
        current(vcpu);
    if (self->depth < MAX_CONTEXTS)
        self->context[self->depth++] = (uint8_t)context;
    put_task(vcpu);
}

/* A context ends, and so do those that began inside it, whose ends were missed. */
static void end_context(unsigned vcpu, enum mt_task_context context)
{
    TaskVcpu *self = &vcpus[vcpu];

    for (unsigned depth = self->depth; depth; depth--)
        if (self->context[depth - 1] == context) {
            self->depth = depth - 1;
            put_task(vcpu);
            return;
        }
}

/* A function is executed that changes what the kernel's memory is used for, or it ends. */
static void on_memory(unsigned vcpu, unsigned function, bool ends)
{
    Task *task;

    if (!vcpus[vcpu].task)
        current(vcpu);
    task = vcpus[vcpu].task;
    if (task)
        (ends ? kernel_memory_on_end : kernel_memory_on_function)(vcpu, function, &task->entry, note);
}

static void on_function(unsigned vcpu, unsigned what)
{
    uint64_t first = 0, second = 0;

    kernel_memory_look(vcpu, note);
    if (kernel_memory_watches(what & ~LEAVES)) {
        on_memory(vcpu, what & ~LEAVES, what & LEAVES);
        return;
    }
    if (what < KERNEL_IRQ_ENTER) { /* frequent functions are the others: their arguments aren't needed */
        kernel_read_register(KERNEL_RDI, &first);
        kernel_read_register(KERNEL_RSI, &second);
    }
    switch (what) {
    case KERNEL_SWITCH_TO:
        on_switch(vcpu, first, second);
        break;
    case KERNEL_WAKE_UP_NEW_TASK:
        on_new_task(vcpu, first);
        break;
    case KERNEL_PERF_EVENT_COMM:
        on_name(vcpu, first, second & 0xff);
        break;
    case KERNEL_PERF_EVENT_MMAP:
        mapping_calls_map(vcpu, current(vcpu), first, note);
        break;
    case KERNEL_DO_EXIT:
        on_end(vcpu, first);
        break;
    case KERNEL_EXIT_MMAP:
        memories_end(vcpu, first, note);
        break;
    case KERNEL_MUNMAP:
        mapping_calls_unmap(vcpu, current(vcpu), first, note);
        break;
    case KERNEL_BRK:
        mapping_calls_brk(vcpu, current(vcpu), first, note);
        break;
    case KERNEL_SHMDT:
        mapping_calls_detach(vcpu, current(vcpu), first, note);
        break;
    case KERNEL_MREMAP:
        on_move(vcpu, first);
        break;
    case KERNEL_MREMAP | LEAVES:
    case KERNEL_DO_MREMAP | LEAVES:
        on_moved(vcpu);
        break;
    case KERNEL_IRQ_ENTER:
        begin_context(vcpu, MT_TASK_IN_INTERRUPT);
        break;
    case KERNEL_IRQ_EXIT | LEAVES:
        end_context(vcpu, MT_TASK_IN_INTERRUPT);
        break;
    case KERNEL_SOFTIRQS:
        begin_context(vcpu, MT_TASK_IN_SOFTIRQ);
        break;
    case KERNEL_SOFTIRQS | LEAVES:
        end_context(vcpu, MT_TASK_IN_SOFTIRQ);
        break;
    default:
        break;
    }
}

static void function_cb(unsigned int vcpu, void *userdata)
{
    if (vcpu >= plugin.vcpus)
        return;
    g_mutex_lock(&lock);
    kernel_read_begin();
    on_function(vcpu, (unsigned)(uintptr_t)userdata);
    kernel_read_end();
    g_mutex_unlock(&lock);
}

static void call_us(struct qemu_plugin_insn *insn, unsigned what)
{
    qemu_plugin_register_vcpu_insn_exec_cb(insn, turns_are_taken() ? turns_wrap_function(function_cb) : function_cb,
                                           QEMU_PLUGIN_CB_R_REGS, (void *)(uintptr_t)what);
}

void tasks_look_for_function(struct qemu_plugin_insn *insn)
{
    if (kernel_is_known() && ring_vcpus_are_known(plugin.ring))
        kernel_functions_find(insn, call_us);
}

void tasks_begin(void (*when_process_ends)(uint32_t process))
{
    process_ends = when_process_ends;
    if (!kernel_is_known() || !ring_vcpus_are_known(plugin.ring))
        return;
    if (!tasks)
        tasks = g_hash_table_new(task_identity_hash, task_identity_equal);
    memories_renumber_all();
    run++;
    last_number = MAX(last_number, plugin.vcpus);
    kernel_memory_begin();
    for (unsigned i = 0; i < plugin.vcpus; i++) {
        vcpus[i] = (TaskVcpu){ .number = i + 1 };
        put_task(i);
    }
}

uint32_t tasks_process_of(unsigned vcpu)
{
    uint32_t process;

    g_mutex_lock(&lock);
    process = vcpu < plugin.vcpus && vcpus[vcpu].task ? vcpus[vcpu].task->process : 0;
    g_mutex_unlock(&lock);
    return process;
}
