package org.xenolith.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.xenolith.isa.Decoder;
import org.xenolith.isa.Instruction;

/**
 * Decoded blocks of all processors of a machine. A frame that holds a block's bytes has its code bit set in {@link GuestMemory}; no TLB
 * gives fast writes to such a frame, so every store to it comes through {@link #stored}, which drops exactly the blocks it hits before the
 * next instruction boundary.
 */
public final class CodeCache {
  private static final int TABLE_BITS = 18, TABLE = 1 << TABLE_BITS;
  private static final int MAX_INSTRUCTIONS = 32;
  private static final int MAX_LENGTH = Decoder.MAX_LENGTH;

  /** When more instructions are held than this (some 100 MiB), all are dropped, so that no guest can fill the heap. */
  private static final int CAPACITY = 750_000;

  /** When a frame has more blocks than this, all of its are dropped: a guest may run one frame at any number of addresses. */
  private static final int MAX_IN_FRAME = 4096;

  private final GuestMemory memory;
  private final List<Cpu> cpus = new ArrayList<>();

  /** The first block of each chain ({@link Block#nextInChain}) of those whose RIPs have one hash. */
  private final Block[] table = new Block[TABLE];

  /** The first block of each frame. */
  private final Block[] byFrame;

  /** How many blocks each frame has. */
  private final int[] inFrame;

  private final Decoder decoder = new Decoder();
  private final byte[] bytes = new byte[GuestMemory.FRAME_SIZE + MAX_LENGTH];

  private Consumer<Block> listener;

  /** Instructions in valid blocks. */
  private int held;

  // Statistics.
  long decoded, dropped;

  /** Makes the cache of a machine; there is one for each {@link GuestMemory}. */
  public CodeCache(GuestMemory memory) {
    this.memory = memory;
    this.byFrame = new Block[Math.toIntExact(memory.frames())];
    this.inFrame = new int[byFrame.length];
    memory.attach(this);
  }

  /** Tells {@code listener} of each block that is dropped from now on, before its bytes can be run again. */
  public void onDrop(Consumer<Block> listener) {
    this.listener = listener;
  }

  void add(Cpu cpu) {
    cpus.add(cpu);
  }

  private static int slot(long va) {
    return (int) (va * 0x9e37_79b9_7f4a_7c15L >>> 64 - TABLE_BITS);
  }

  /** Like {@link #at}, for what runs after a block. */
  Block after(Block last, Cpu cpu, long va, long host) {
    boolean falls = va == last.next;
    Block b = falls ? last.fallThrough : last.taken;
    if (b != null && b.va == va && b.host == host && b.valid && b.mode == cpu.mode && b.secondPage == 0) {
      return b;
    }
    b = at(cpu, va, host);
    if (falls) {
      last.fallThrough = b;
    } else {
      last.taken = b;
    }
    return b;
  }

  /**
   * The block at {@code va}, whose first byte is at {@code host} under the processor's current translation. Outside 64-bit mode {@code va}
   * is an offset in the code segment.
   */
  Block at(Cpu cpu, long va, long host) {
    for (Block b = table[slot(va)]; b != null; b = b.nextInChain) {
      if (b.va == va && b.host == host && b.mode == cpu.mode && (b.secondPage == 0 || b.secondPage == secondPage(cpu, va))) {
        return b;
      }
    }
    int mfn = frame(host);
    if (inFrame[mfn] >= MAX_IN_FRAME) {
      dropAll(mfn);
    }
    return decode(cpu, va, host);
  }

  private static long secondPage(Cpu cpu, long va) {
    return cpu.mmu.hostForFetch(cpu.codeAddress(va + room(cpu.codeAddress(va))));
  }

  /** Bytes from an address to the end of its page. */
  private static int room(long address) {
    return GuestMemory.FRAME_SIZE - (int) (address & GuestMemory.FRAME_SIZE - 1);
  }

  private Block next(Block b, int mfn) {
    return memory.machine(b.host) >>> GuestMemory.FRAME_SHIFT == mfn ? b.nextInFrame : b.nextInSecondFrame;
  }

  private Block decode(Cpu cpu, long va, long host) {
    if (held > CAPACITY) {
      dropAll();
    }
    int limit = Math.min(room(memory.machine(host)), MAX_INSTRUCTIONS * MAX_LENGTH);
    Host.get(host, bytes, limit);
    List<Instruction> found = new ArrayList<>(MAX_INSTRUCTIONS);
    int at = 0;
    long second = 0;
    while (found.size() < MAX_INSTRUCTIONS) {
      Instruction i = decoder.decode(bytes, at, limit, va + at, cpu.mode);
      if (i == null && found.isEmpty()) {
        // The first instruction crosses into the next page.
        second = secondPage(cpu, va);
        Host.get(second, bytes, limit, MAX_LENGTH);
        i = decoder.decode(bytes, 0, limit + MAX_LENGTH, va, cpu.mode);
      }
      if (i == null || !found.isEmpty() && Semantics.startsBlock(i)) {
        break;
      }
      found.add(i);
      at += i.length;
      if (second != 0 || Semantics.endsBlock(i)) {
        break;
      }
    }
    Instruction[] instructions = found.toArray(Instruction[]::new);
    Op[] ops = new Op[instructions.length];
    for (int n = 0; n < ops.length; n++) {
      ops[n] = Semantics.of(instructions[n], cpu.model);
    }
    Block b = new Block(va, host, cpu.mode, at, second, ops, instructions);
    int slot = slot(va);
    b.nextInChain = table[slot];
    table[slot] = b;
    int mfn = frame(host);
    enter(mfn);
    b.nextInFrame = byFrame[mfn];
    byFrame[mfn] = b;
    if (second != 0 && frame(second) != mfn) {
      int other = frame(second);
      enter(other);
      b.nextInSecondFrame = byFrame[other];
      byFrame[other] = b;
    }
    held += ops.length;
    decoded++;
    return b;
  }

  private int frame(long host) {
    return (int) (memory.machine(host) >>> GuestMemory.FRAME_SHIFT);
  }

  private void enter(int mfn) {
    inFrame[mfn]++;
    if (!memory.hasCode(mfn)) {
      memory.setCode(mfn, true);
      for (Cpu cpu : cpus) {
        cpu.mmu.forbidFastWrites(mfn);
      }
    }
  }

  /** Drops the blocks that hold any of the {@code length} bytes stored at {@code pa}. */
  void stored(long pa, long length) {
    long end = pa + length;
    for (long mfn = pa >>> GuestMemory.FRAME_SHIFT; mfn <= end - 1 >>> GuestMemory.FRAME_SHIFT; mfn++) {
      if (memory.hasCode(mfn)) {
        drop((int) mfn, pa, end);
      }
    }
  }

  private void drop(int mfn, long pa, long end) {
    Block b = byFrame[mfn];
    while (b != null) {
      Block next = next(b, mfn);
      if (hit(b, pa, end)) {
        drop(b);
      }
      b = next;
    }
  }

  private void drop(Block b) {
    b.valid = false;
    if (b.translation != null && listener != null) {
      listener.accept(b);
    }
    b.fallThrough = null;
    b.taken = null;
    unchain(b);
    held -= b.ops.length;
    dropped++;
    int mfn = frame(b.host);
    unlink(b, mfn);
    if (b.secondPage != 0 && frame(b.secondPage) != mfn) {
      unlink(b, frame(b.secondPage));
    }
    for (Cpu cpu : cpus) {
      cpu.codeDropped();
    }
  }

  private void dropAll() {
    for (int mfn = 0; mfn < byFrame.length; mfn++) {
      dropAll(mfn);
    }
  }

  private void dropAll(int mfn) {
    while (byFrame[mfn] != null) {
      drop(byFrame[mfn]);
    }
  }

  private void unchain(Block b) {
    int slot = slot(b.va);
    if (table[slot] == b) {
      table[slot] = b.nextInChain;
      return;
    }
    Block previous = table[slot];
    while (previous.nextInChain != b) {
      previous = previous.nextInChain;
    }
    previous.nextInChain = b.nextInChain;
  }

  private void unlink(Block b, int mfn) {
    inFrame[mfn]--;
    Block next = next(b, mfn);
    if (byFrame[mfn] == b) {
      byFrame[mfn] = next;
      if (next == null) {
        memory.setCode(mfn, false);
      }
      return;
    }
    Block previous = byFrame[mfn];
    while (next(previous, mfn) != b) {
      previous = next(previous, mfn);
    }
    if (frame(previous.host) == mfn) {
      previous.nextInFrame = next;
    } else {
      previous.nextInSecondFrame = next;
    }
  }

  private boolean hit(Block b, long pa, long end) {
    long first = memory.machine(b.host);
    if (b.secondPage == 0) {
      return pa < first + b.length && end > first;
    }
    long last = (first | GuestMemory.FRAME_SIZE - 1) + 1;
    long second = memory.machine(b.secondPage);
    long spill = first + b.length & GuestMemory.FRAME_SIZE - 1;
    return pa < last && end > first || pa < second + spill && end > second;
  }
}
