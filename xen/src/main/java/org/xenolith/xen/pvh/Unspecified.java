package org.xenolith.xen.pvh;

import java.util.BitSet;
import java.util.SplittableRandom;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.isa.Instruction;

/**
 * What the boot ABI leaves open (Xen, docs/misc/pvh.pandoc): memory outside what was loaded, and most registers. It is different with each
 * seed, so that a guest that rests on it is found. Memory gets its contents when it is first looked at.
 */
final class Unspecified {
  /** Flags of RFLAGS that may have any value: all but VM, IF and TF, which are clear, and those of virtual-8086 mode and of debuggers. */
  private static final int FLAGS = Cpu.ARITHMETIC | Cpu.DF | Cpu.IOPL | Cpu.NT | Cpu.AC | Cpu.ID;

  private final GuestMemory memory;
  private final long seed;
  private final BitSet fresh;

  Unspecified(GuestMemory memory, long seed) {
    this.memory = memory;
    this.seed = seed;
    this.fresh = new BitSet(Math.toIntExact(memory.frames()));
  }

  /** Says that nobody knows what a frame holds. */
  void add(long mfn) {
    fresh.set((int) mfn);
  }

  /** Whether nothing has looked at a frame yet whose contents nobody knows. */
  boolean isFresh(long mfn) {
    return fresh.get((int) mfn);
  }

  /** To be called before anything looks at a frame. */
  void touch(long mfn) {
    if (fresh.get((int) mfn)) {
      fresh.clear((int) mfn);
      fill(mfn);
    }
  }

  private void fill(long mfn) {
    SplittableRandom random = new SplittableRandom(seed * 0x9e37_79b9_7f4a_7c15L + mfn);
    byte[] bytes = new byte[GuestMemory.FRAME_SIZE];
    random.nextBytes(bytes);
    memory.write(mfn << GuestMemory.FRAME_SHIFT, bytes, 0, bytes.length);
  }

  /** Fills in the registers of a processor that is about to start. */
  void registers(Cpu cpu) {
    SplittableRandom random = new SplittableRandom(~seed);
    for (int n = 0; n < 16; n++) {
      cpu.r[n] = random.nextLong();
    }
    for (int n = 0; n < cpu.xmm.length; n++) {
      cpu.xmm[n] = random.nextLong();
    }
    cpu.setRflags(random.nextLong() & FLAGS);
    for (int s : new int[] {Instruction.FS, Instruction.GS}) {
      cpu.selector[s] = random.nextInt() & 0xffff;
      cpu.segmentBase[s] = random.nextInt() & 0xffff_ffffL;
      cpu.segmentLimit[s] = random.nextInt();
      cpu.segmentAccess[s] = 0xc093;
    }
    for (int s : new int[] {Instruction.CS, Instruction.SS, Instruction.DS, Instruction.ES}) {
      // Only the hidden parts are specified; privilege is 0.
      cpu.selector[s] = random.nextInt() & 0xfffc;
    }
    cpu.taskSelector = random.nextInt() & 0xfffc;
    cpu.cr2 = random.nextInt() & 0xffff_ffffL;
    cpu.gdtBase = random.nextInt() & 0xffff_ffffL;
    cpu.gdtLimit = random.nextInt() & 0xffff;
    cpu.idtBase = random.nextInt() & 0xffff_ffffL;
    cpu.idtLimit = random.nextInt() & 0xffff;
  }
}
