package org.xenolith.xen.build;

import java.util.Arrays;

/**
 * The page of hypercall stubs that Xen writes for a 64-bit PV guest (hypercall_page_initialise_ring3_kernel, arch/x86/pv/hypercall.c): 32
 * bytes for each number. A stub saves rcx and r11, which SYSCALL destroys, loads eax and makes the call. iret does not come back: it leaves
 * the two and rax on the stack, as that hypercall's frame has them.
 */
public final class HypercallPage {
  private static final int STUB = 32, IRET = 23;
  private static final int INT3 = 0xcc;

  private static final int UD2 = 0x0b0f;

  private HypercallPage() {}

  /** The 4,096 bytes of the page. */
  public static byte[] contents() {
    byte[] page = new byte[4096];
    Arrays.fill(page, (byte) INT3);
    for (int number = 0; number < page.length / STUB; number++) {
      // push %rcx; push %r11; mov $number,%eax; syscall; pop %r11; pop %rcx; ret
      int[] stub = {0x51, 0x41, 0x53, 0xb8, number, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
      // push %rcx; push %r11; push %rax; mov $23,%eax; syscall
      int[] iret = {0x51, 0x41, 0x53, 0x50, 0xb8, IRET, 0, 0, 0, 0x0f, 0x05};
      int[] bytes = number == IRET ? iret : stub;
      for (int n = 0; n < bytes.length; n++) {
        page[number * STUB + n] = (byte) bytes[n];
      }
    }
    return page;
  }

  /** The page of a hardware container on a processor with SVM (svm_init_hypercall_page, arch/x86/hvm/svm/svm.c). */
  public static byte[] containerContents() {
    byte[] page = new byte[4096];
    Arrays.fill(page, (byte) INT3);
    for (int number = 0; number < page.length / STUB; number++) {
      // mov $number,%eax; vmmcall; ret
      int[] stub = {0xb8, number, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3};
      int[] bytes = number == IRET ? new int[] {UD2 & 0xff, UD2 >>> 8} : stub;
      for (int n = 0; n < bytes.length; n++) {
        page[number * STUB + n] = (byte) bytes[n];
      }
    }
    return page;
  }
}
