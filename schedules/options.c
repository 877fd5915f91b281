// SPDX-License-Identifier: GPL-2.0
/* Values of options, read in the same way by both programs. */
#include <string.h>
#include "options.h"

bool option_number(const char *text, uint64_t max, uint64_t *number)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned int digit = *text - '0';

		if (digit > 9 || digit > max || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*number = n;
	return true;
}

bool option_listed(const char *list, const char *word, size_t len)
{
	while (list) {
		size_t n = strcspn(list, ",");

		if (n == len && !memcmp(list, word, len))
			return true;
		if (!list[n])
			return false;
		list += n + 1;
	}
	return true;
}
