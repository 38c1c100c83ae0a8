package org.xenolith.app;

import org.xenolith.image.KernelImage;

/**
 * Everything that decides a run.
 *
 * @param image the kernel
 * @param initrd the guest's initrd, as it is
 * @param options checked
 */
record BootPlan(KernelImage image, byte[] initrd, BootOptions options) {}
