#include "fuzz_driver.h"

/* libFuzzer's own main, which is linked but not used, wants one; ours passes its callback itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    (void)data;
    (void)size;
    return 0;
}
