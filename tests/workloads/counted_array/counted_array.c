// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A kernel module whose accesses are known: writing N to its parameter `rounds` increments each of the 1000 ints of a
 * kmalloc'ed array N times, a load and a store each. Its parameter `address` tells where the array is.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#define ELEMENTS 1000

static int *array;
static unsigned long address;
module_param(address, ulong, 0444);

static int set_rounds(const char *text, const struct kernel_param *parameter)
{
	volatile int *elements = array;
	unsigned int rounds;
	int error = kstrtouint(text, 0, &rounds);

	if (error || !array)
		return error ? error : -EAGAIN;
	for (unsigned int round = 0; round < rounds; round++)
		for (int i = 0; i < ELEMENTS; i++)
			elements[i]++;
	return 0;
}

static const struct kernel_param_ops rounds_ops = { .set = set_rounds };
module_param_cb(rounds, &rounds_ops, NULL, 0200);

static int __init counted_array_init(void)
{
	array = kcalloc(ELEMENTS, sizeof(*array), GFP_KERNEL);
	address = (unsigned long)array;
	return array ? 0 : -ENOMEM;
}

static void __exit counted_array_exit(void)
{
	kfree(array);
}

module_init(counted_array_init);
module_exit(counted_array_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("An array whose accesses are counted by a test");
