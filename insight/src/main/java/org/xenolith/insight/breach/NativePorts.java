package org.xenolith.insight.breach;

import java.util.OptionalLong;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.TableWalk;
import org.xenolith.xen.Vcpu;

/**
 * Whether a Linux kernel has opened an I/O port to user mode as it does on a bare processor: in the bitmap of its task state segment, which
 * no processor looks at under Xen (Linux: native_tss_update_io_bitmap, arch/x86/kernel/process.c; xen_update_io_bitmap does it by
 * hypercall).
 */
final class NativePorts {
  /** The segment of each processor: Linux's variable, at the base of the kernel's GS. */
  private static final String SEGMENT = "cpu_tss_rw";

  /** Where the segment has the offset of its bitmap (AMD64 APM volume 2, figure 12-8). */
  private static final int BITMAP_OFFSET = 102;

  /** The segment without a bitmap, and where Linux's two bitmaps have ended: an offset behind that says that there is none. */
  private static final int SEGMENT_SIZE = 104, END = SEGMENT_SIZE + 2 * 8192 + 32;

  private final CodeNames names;

  NativePorts(CodeNames names) {
    this.names = names;
  }

  /** Looks at a vcpu that runs in user mode. */
  boolean open(Vcpu vcpu, int port) {
    OptionalLong segment = names.address(SEGMENT);
    boolean[] open = {false};
    if (segment.isPresent()) {
      long base = segment.getAsLong() + vcpu.cpu.kernelGsBase;
      vcpu.runner.inKernelSpace(() -> open[0] = open(vcpu.cpu, base, port));
    }
    return open[0];
  }

  private static boolean open(Cpu cpu, long base, int port) {
    int low = read(cpu, base + BITMAP_OFFSET);
    int high = read(cpu, base + BITMAP_OFFSET + 1);
    int bitmap = high << 8 | low;
    int bits = read(cpu, base + bitmap + port / 8);
    return low >= 0 && high >= 0 && bitmap >= SEGMENT_SIZE && bitmap + 8192 <= END && bits >= 0 && (bits >>> port % 8 & 1) == 0;
  }

  /** A byte of the guest's, or -1 where nothing is mapped. */
  private static int read(Cpu cpu, long va) {
    long pa = TableWalk.machineOf(cpu, va);
    return pa < 0 ? -1 : cpu.memory.readByte(pa) & 0xff;
  }
}
