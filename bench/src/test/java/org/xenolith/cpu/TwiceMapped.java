package org.xenolith.cpu;

/** Processors with four megabytes of memory that are mapped twice: addresses {@link #APART} contend for one entry of the TLB. */
public final class TwiceMapped {
  /** An address with memory behind it, far from page tables. */
  public static final long DATA = Machine.DATA;

  /** From an address to the other one that has the same memory. */
  public static final long APART = 4L << 20;

  /** Pages from {@link #DATA} on. */
  public static final int PAGES = 256;

  private TwiceMapped() {}

  static Machine machine() {
    Machine machine = new Machine();
    for (int table = 0; table < 2; table++) {
      machine.memory.writeLong(Machine.LEVEL2 + 16 + 8 * table, Machine.LEVEL1 + 0x1000 * table | Machine.FLAGS);
    }
    return machine;
  }

  /** A processor at privilege level 0, with this second stage or with none (null). */
  public static Cpu kernel(SecondStage second) {
    Cpu cpu = machine().privilege(0).cpu;
    cpu.secondStage = second;
    return cpu;
  }
}
