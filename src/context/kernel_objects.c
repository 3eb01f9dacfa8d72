/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies at a kernel's address: see kernel_objects.h.
 *
 * The kernel's address space is divided into areas. The trace's changes tell where they are and what their pages are
 * used for. The kernel's image and its modules are known by their symbols.
 */
#include "kernel_objects.h"

#include "../record/x86.h"
#include "page_uses.h"

typedef struct {
    uint64_t begin, end;
} Range;

/* A CPU's variables, or its interrupt stack. */
typedef struct {
    Range range;
    bool is_stack;
    const char *name;
} CpuArea;

struct KernelObjects {
    const KernelNames *names;
    PageUses *uses;
    GArray *cpus; /* CpuArea */
    Range direct_map, vmalloc, vmemmap, text, image;
    uint64_t per_cpu_caller;             /* the function that gets more room for per-CPU variables by vmalloc() */
    uint64_t per_cpu_begin, per_cpu_end; /* of the per-CPU variables' symbols; both 0: not known */
    GHashTable *stacks;                  /* names, by the task's number */
    GStringChunk *texts;
};

static bool covers(const Range *range, uint64_t address)
{
    return address >= range->begin && address < range->end;
}

/* Reading. */

static void read_areas(KernelObjects *objects)
{
    const GArray *areas = page_uses_areas(objects->uses);

    for (guint i = 0; i < areas->len; i++) {
        const PageUsesArea *area = &g_array_index(areas, PageUsesArea, i);
        CpuArea cpu = { .range = { area->begin, area->end }, .name = "per-cpu" };

        switch (area->kind) {
        case CHANGE_AREA_DIRECT_MAP:
            objects->direct_map = cpu.range;
            break;
        case CHANGE_AREA_VMALLOC:
            objects->vmalloc = cpu.range;
            break;
        case CHANGE_AREA_VMEMMAP:
            objects->vmemmap = cpu.range;
            break;
        case CHANGE_AREA_INTERRUPT_STACK: {
            g_autofree char *name = g_strdup_printf("interrupt stack of CPU %u", area->number);

            cpu.name = g_string_chunk_insert_const(objects->texts, name);
            cpu.is_stack = true;
            g_array_append_val(objects->cpus, cpu);
            break;
        }
        case CHANGE_AREA_PER_CPU:
            g_array_append_val(objects->cpus, cpu);
            break;
        default:
            break;
        }
    }
}

static void read_image(KernelObjects *objects)
{
    objects->text.begin = kernel_names_address(objects->names, "_stext");
    objects->text.end = kernel_names_address(objects->names, "_etext");
    objects->image.begin = kernel_names_address(objects->names, "_text");
    objects->image.end = kernel_names_address(objects->names, "_end");
    objects->per_cpu_caller = kernel_names_address(objects->names, "pcpu_get_vm_areas");
    objects->per_cpu_begin = kernel_names_address(objects->names, "__per_cpu_start");
    objects->per_cpu_end = kernel_names_address(objects->names, "__per_cpu_end");
    if (objects->per_cpu_begin == UINT64_MAX || objects->per_cpu_end == UINT64_MAX)
        objects->per_cpu_begin = objects->per_cpu_end = 0;
}

/* The first change of a task tells its pid. */
static void name_stack(KernelObjects *objects, const TraceChange *change)
{
    gpointer number = GUINT_TO_POINTER((guint)change->value[0]);
    g_autofree char *name = NULL;

    if (change->kind != CHANGE_TASK || !number || g_hash_table_contains(objects->stacks, number))
        return;
    name = g_strdup_printf("stack of %u", (guint)change->value[1]);
    g_hash_table_insert(objects->stacks, number, g_string_chunk_insert_const(objects->texts, name));
}

static KernelObjects *make_objects(const KernelNames *names, PageUses *uses)
{
    KernelObjects *objects = g_new0(KernelObjects, 1);

    objects->names = names;
    objects->uses = uses;
    objects->cpus = g_array_new(FALSE, FALSE, sizeof(CpuArea));
    objects->stacks = g_hash_table_new(NULL, NULL);
    objects->texts = g_string_chunk_new(4096);
    read_image(objects);
    return objects;
}

KernelObjects *kernel_objects_new(const KernelNames *names, const TraceChanges *changes, uint32_t input)
{
    KernelObjects *objects = make_objects(names, page_uses_new_of(changes, input));

    read_areas(objects);
    for (guint i = 0; changes && i < changes->list->len; i++)
        name_stack(objects, &g_array_index(changes->list, TraceChange, i));
    return objects;
}

KernelObjects *kernel_objects_new_live(const KernelNames *names)
{
    return make_objects(names, page_uses_new_live());
}

void kernel_objects_add(KernelObjects *objects, const TraceChange *change)
{
    page_uses_add(objects->uses, change);
    name_stack(objects, change);
    if (change->kind != CHANGE_KERNEL_AREA)
        return;
    g_array_set_size(objects->cpus, 0);
    read_areas(objects);
}

void kernel_objects_free(KernelObjects *objects)
{
    if (!objects)
        return;
    page_uses_free(objects->uses);
    g_array_unref(objects->cpus);
    g_string_chunk_free(objects->texts);
    g_hash_table_unref(objects->stacks);
    g_free(objects);
}

/* Finding. */

static AddressObject make(ObjectRegion region, const char *name, uint64_t begin, uint64_t end)
{
    return (AddressObject){ .region = region, .name = name, .begin = begin, .end = end };
}

static AddressObject unknown(void)
{
    return make(OBJECT_UNKNOWN_KERNEL, "unknown-kernel", UINT64_C(1) << 63, UINT64_MAX);
}

/* The object in a slab at this address; or the room at the slab's end that is too small for an object. */
static AddressObject find_slab_object(const KernelObjects *objects, const PageUse *use, uint64_t address)
{
    const PageUsesCache *cache = page_uses_cache(objects->uses, use->number);
    uint64_t begin = objects->direct_map.begin + (use->first << PAGE_USES_SHIFT);
    uint64_t end = begin + ((uint64_t)use->pages << PAGE_USES_SHIFT), room = end - begin;
    uint64_t bytes = cache ? cache->object_bytes : room, number = (address - begin) / bytes;

    if (bytes > room || number >= room / bytes)
        return make(OBJECT_SLAB, cache ? cache->name : "slab", begin + room / bytes * bytes, end);
    return make(OBJECT_SLAB, cache ? cache->name : "slab", begin + number * bytes, begin + (number + 1) * bytes);
}

static AddressObject find_stack(const KernelObjects *objects, const PageUse *use, uint64_t begin)
{
    const char *name = g_hash_table_lookup(objects->stacks, GUINT_TO_POINTER(use->number));
    AddressObject object = make(OBJECT_KERNEL_STACK, name ? name : "kernel-stack", begin,
                                begin + ((uint64_t)use->pages << PAGE_USES_SHIFT));

    object.task = name ? use->number : 0;
    return object;
}

/* For answers that may be different at every other address. */
static void hold_for_one(ObjectExtent *extent, uint64_t address)
{
    extent->begin = address;
    extent->end = address + 1;
}

static bool find_of_cpu(const KernelObjects *objects, uint64_t address, AddressObject *object, ObjectExtent *extent)
{
    for (guint i = 0; i < objects->cpus->len; i++) {
        const CpuArea *area = &g_array_index(objects->cpus, CpuArea, i);
        uint64_t base = area->range.begin - objects->per_cpu_begin; /* where a variable of address 0 lies */
        KernelName symbol;

        if (!covers(&area->range, address))
            continue;
        if (area->is_stack)
            *object = make(OBJECT_KERNEL_STACK, area->name, area->range.begin, area->range.end);
        else if (address - base < objects->per_cpu_end &&
                 kernel_names_symbol(objects->names, address - base, &symbol) && symbol.begin >= objects->per_cpu_begin)
            *object = make(OBJECT_PER_CPU, symbol.name, symbol.begin + base, symbol.end + base);
        else /* alloc_percpu() */
            *object = make(OBJECT_PER_CPU, area->name, area->range.begin, area->range.end);
        if (object->name == area->name && !area->is_stack) { /* in this area, variables with symbols differ */
            if (address - base >= objects->per_cpu_end)
                extent->begin = base + objects->per_cpu_end;
            else
                hold_for_one(extent, address);
        }
        return true;
    }
    return false;
}

/* What a page is used for. Sets the positions for which answers about the page hold. */
static const PageUse *find_use(const KernelObjects *objects, uint64_t page, uint64_t position, ObjectExtent *extent)
{
    return page_uses_find(objects->uses, page, position, &extent->from, &extent->to);
}

static AddressObject find_in_direct_map(const KernelObjects *objects, uint64_t position, uint64_t address,
                                        ObjectExtent *extent)
{
    const Range *map = &objects->direct_map;
    uint64_t page = (address - map->begin) >> PAGE_USES_SHIFT, begin = map->begin + (page << PAGE_USES_SHIFT);
    const PageUse *use = find_use(objects, page, position, extent);
    unsigned needed = CHANGE_TELLS_SLABS | CHANGE_TELLS_PAGE_TABLES;
    AddressObject object;

    if (use && use->kind == PAGE_SLAB)
        return find_slab_object(objects, use, address);
    if (use && use->kind == PAGE_TABLE)
        return make(OBJECT_PAGE_TABLE, "page-table", begin, begin + (1u << PAGE_USES_SHIFT));
    if (use && use->kind == PAGE_STACK)
        return find_stack(objects, use, map->begin + (use->first << PAGE_USES_SHIFT));
    if (find_of_cpu(objects, address, &object, extent))
        return object;
    if ((page_uses_told(objects->uses) & needed) != needed)
        return unknown();
    return make(OBJECT_DIRECT_MAP, "direct-map", map->begin, map->end);
}

/* The name of the function or the module that has got an area by vmalloc(). */
static const char *name_of_caller(const KernelObjects *objects, uint64_t caller)
{
    KernelName name;

    if (kernel_names_symbol(objects->names, caller, &name) || kernel_names_module(objects->names, caller, 0, &name))
        return name.name;
    return "vmalloc";
}

static AddressObject find_in_vmalloc(const KernelObjects *objects, uint64_t position, uint64_t address,
                                     ObjectExtent *extent)
{
    const PageUse *use = find_use(objects, address >> PAGE_USES_SHIFT, position, extent);
    uint64_t begin = use ? use->first << PAGE_USES_SHIFT : 0;
    AddressObject object;

    if (find_of_cpu(objects, address, &object, extent))
        return object;
    if (use && use->kind == PAGE_STACK)
        return find_stack(objects, use, begin);
    if (use && use->kind == PAGE_VMALLOC && use->caller == objects->per_cpu_caller)
        return make(OBJECT_PER_CPU, "per-cpu", begin, begin + ((uint64_t)use->pages << PAGE_USES_SHIFT));
    if (use && use->kind == PAGE_VMALLOC)
        return make(OBJECT_VMALLOC, name_of_caller(objects, use->caller), begin,
                    begin + ((uint64_t)use->pages << PAGE_USES_SHIFT));
    return make(OBJECT_VMALLOC, "vmalloc", objects->vmalloc.begin, objects->vmalloc.end);
}

/* Between the kernel's image and X86_LINUX_MODULES_END. Code that is no module's, such as BPF programs, has symbols as
 * modules have them. */
static AddressObject find_in_modules(const KernelObjects *objects, uint64_t position, uint64_t address,
                                     ObjectExtent *extent)
{
    const PageUse *use = find_use(objects, address >> PAGE_USES_SHIFT, position, extent);
    uint64_t begin = use && use->kind == PAGE_VMALLOC ? use->first << PAGE_USES_SHIFT : 0;
    uint64_t end = begin ? begin + ((uint64_t)use->pages << PAGE_USES_SHIFT) : 0;
    KernelName module;

    if (kernel_names_module(objects->names, address, begin ? begin : address & ~UINT64_C(0xfffff), &module))
        return make(OBJECT_MODULE, module.name, module.begin, MAX(module.end, end));
    if (begin)
        return make(OBJECT_MODULE, name_of_caller(objects, use->caller), begin, end);
    return unknown();
}

/* The first CPU's idle task has its stack in the kernel's image. */
static AddressObject find_in_image(const KernelObjects *objects, uint64_t position, uint64_t address,
                                   ObjectExtent *extent)
{
    const PageUse *use = find_use(objects, address >> PAGE_USES_SHIFT, position, extent);
    bool is_text = covers(&objects->text, address);
    KernelName symbol = { is_text ? "kernel-text" : "kernel-data", objects->image.begin, objects->image.end };

    if (use && use->kind == PAGE_STACK)
        return find_stack(objects, use, use->first << PAGE_USES_SHIFT);
    if (!kernel_names_symbol(objects->names, address, &symbol))
        hold_for_one(extent, address);
    return make(is_text ? OBJECT_KERNEL_TEXT : OBJECT_KERNEL_DATA, symbol.name, symbol.begin, symbol.end);
}

static AddressObject find_device(const KernelObjects *objects, uint64_t address, uint64_t paddr)
{
    uint64_t page = paddr & ~((UINT64_C(1) << PAGE_USES_SHIFT) - 1);
    KernelName device = { "device", page, page + (UINT64_C(1) << PAGE_USES_SHIFT) };

    /* Newer kernels leave the local APIC out of /proc/iomem. */
    if (!kernel_names_device(objects->names, paddr, &device) && page == X86_LOCAL_APIC)
        device.name = "Local APIC";
    return make(OBJECT_DEVICE, device.name, address - (paddr - device.begin), address + (device.end - paddr));
}

static AddressObject find(const KernelObjects *objects, uint64_t position, uint64_t address, ObjectExtent *extent)
{
    if (covers(&objects->direct_map, address))
        return find_in_direct_map(objects, position, address, extent);
    if (covers(&objects->vmalloc, address))
        return find_in_vmalloc(objects, position, address, extent);
    if (covers(&objects->vmemmap, address))
        return make(OBJECT_VMEMMAP, "vmemmap", objects->vmemmap.begin, objects->vmemmap.end);
    if (covers(&objects->image, address))
        return find_in_image(objects, position, address, extent);
    if (address >= X86_LINUX_CPU_ENTRY_AREA && address < X86_LINUX_CPU_ENTRY_AREA_END)
        return make(OBJECT_PER_CPU, "cpu_entry_area", X86_LINUX_CPU_ENTRY_AREA, X86_LINUX_CPU_ENTRY_AREA_END);
    if (address >= objects->image.end && address < X86_LINUX_MODULES_END)
        return find_in_modules(objects, position, address, extent);
    return unknown();
}

/* Narrows the extent to the address's page, and to the object. A slab's extent keeps the page's other objects, which
 * are all of the same cache. A device was found by the physical address, so its answer holds for one address. */
static void narrow(ObjectExtent *extent, const AddressObject *object, uint64_t address)
{
    uint64_t page = address >> PAGE_USES_SHIFT << PAGE_USES_SHIFT, last = page + ((1u << PAGE_USES_SHIFT) - 1);

    if (object->region == OBJECT_DEVICE || address < object->begin || address >= object->end)
        hold_for_one(extent, address);
    extent->begin = MAX(extent->begin, page);
    extent->end = MIN(extent->end, MAX(last, last + 1));
    if (object->region != OBJECT_SLAB && address >= object->begin && address < object->end) {
        extent->begin = MAX(extent->begin, object->begin);
        extent->end = MIN(extent->end, object->end);
    }
}

bool kernel_objects_find(KernelObjects *objects, uint64_t position, uint64_t address, uint64_t paddr,
                         AddressObject *object, ObjectExtent *extent)
{
    ObjectExtent own, *valid = extent ? extent : &own;

    if (!x86_is_kernel_address(address))
        return false;
    *valid = (ObjectExtent){ .end = UINT64_MAX, .to = UINT64_MAX };
    *object = find(objects, position, address, valid);
    if (paddr != MT_PADDR_UNKNOWN && (paddr & MT_PADDR_IO))
        *object = find_device(objects, address, paddr & ~MT_PADDR_IO);
    narrow(valid, object, address);
    return true;
}
