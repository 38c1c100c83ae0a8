/**
 * What is in a kernel image: bzImage, ELF, Xen's notes, symbols, build id, release.
 *
 * <p>{@link org.xenolith.image.KernelImage#read} is the way in. Images come from anywhere, so every size and offset in one is checked, and
 * whatever is wrong ends in an {@link org.xenolith.image.ImageException} with one line that says what, where and how to mend it.
 */
package org.xenolith.image;
