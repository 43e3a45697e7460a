/* What this process occupies, on Windows. */
#include "base/memory.h"

uint64_t memory_proportional_bytes(void)
{
    return 0;
}
