package org.xenolith.insight.breach;

import java.util.OptionalLong;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.TableWalk;
import org.xenolith.isa.Decoder;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.xen.Vcpu;

/**
 * Whether a Linux kernel has opened an I/O port to user mode as it does on a bare processor: in the bitmap of its task state segment, which
 * no processor looks at under Xen (Linux: native_tss_update_io_bitmap, arch/x86/kernel/process.c; xen_update_io_bitmap does it by
 * hypercall).
 */
final class NativePorts {
  /** The segment of each processor: Linux's variable, at the base of the kernel's GS. */
  private static final String SEGMENT = "cpu_tss_rw";

  /**
   * A function that writes "no bitmap" into the segment, by which it is found in a kernel whose image has no names of variables
   * (without CONFIG_KALLSYMS_ALL).
   */
  private static final String WRITER = "native_tss_invalidate_io_bitmap";

  private static final int WRITER_INSTRUCTIONS = 16;

  /** Where the segment has the offset of its bitmap (AMD64 APM volume 2, figure 12-8). */
  private static final int BITMAP_OFFSET = 102;

  /** The segment without a bitmap, and where Linux's two bitmaps have ended: an offset behind that says that there is none. */
  private static final int SEGMENT_SIZE = 104, END = SEGMENT_SIZE + 2 * 8192 + 32;

  private final CodeNames names;
  private final Decoder decoder = new Decoder();

  NativePorts(CodeNames names) {
    this.names = names;
  }

  /** Looks at a vcpu that runs in user mode. */
  boolean open(Vcpu vcpu, int port) {
    long base = segment(vcpu);
    boolean[] open = {false};
    if (base != 0) {
      vcpu.runner.inKernelSpace(() -> open[0] = open(vcpu.cpu, base, port));
    }
    return open[0];
  }

  /** Where the segment says what its bitmap is, for a vcpu that runs in user mode; 0 if that cannot be told. */
  long bitmapOffset(Vcpu vcpu) {
    long base = segment(vcpu);
    return base == 0 ? 0 : base + BITMAP_OFFSET;
  }

  private long segment(Vcpu vcpu) {
    OptionalLong variable = names.address(SEGMENT);
    if (variable.isPresent()) {
      return variable.getAsLong() + vcpu.cpu.kernelGsBase;
    }
    OptionalLong writer = names.address(WRITER);
    long[] written = {0};
    if (writer.isPresent()) {
      vcpu.runner.inKernelSpace(() -> written[0] = written(vcpu.cpu, writer.getAsLong()));
    }
    return written[0] == 0 ? 0 : written[0] - BITMAP_OFFSET + vcpu.cpu.kernelGsBase;
  }

  /** The offset in GS of the two bytes that a function sets to a constant; 0 if it sets none. */
  private long written(Cpu cpu, long function) {
    byte[] code = new byte[Decoder.MAX_LENGTH];
    long va = function;
    for (int n = 0; n < WRITER_INSTRUCTIONS; n++) {
      for (int at = 0; at < code.length; at++) {
        code[at] = (byte) read(cpu, va + at);
      }
      Instruction i = decoder.decode(code, 0, code.length, va, cpu.mode);
      if (i == null) {
        return 0;
      }
      boolean store = i.mnemonic == Mnemonic.MOV && i.kind0 == OperandKind.MEM && i.kind1 == OperandKind.IMM && i.width == 2;
      if (store && i.segment == Instruction.GS && i.base == Instruction.NO_REGISTER && i.index == Instruction.NO_REGISTER) {
        return i.ea;
      }
      va += i.length;
    }
    return 0;
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
