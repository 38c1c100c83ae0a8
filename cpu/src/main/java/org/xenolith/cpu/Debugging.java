package org.xenolith.cpu;

/** The breakpoints in a processor's debug registers and the traps they cause (AMD64 APM volume 2, chapter 13). */
final class Debugging {
  /** DR6: a single step. */
  static final int BS = 1 << 14;

  /** What a breakpoint in DR7 is for: instructions, writes, ports, reads and writes. */
  private static final int EXECUTE = 0, WRITE = 1, PORT = 2;

  private final Cpu cpu;

  /** Traps to report at the next instruction boundary: bits of DR6. */
  int pending;

  /** Traps that MOV SS holds back until the instruction after it. */
  private int held;

  /** Whether there is a breakpoint for data or ports, and one for instructions. */
  boolean watching, breaking;

  Debugging(Cpu cpu) {
    this.cpu = cpu;
  }

  /** DR7 has changed. */
  void refresh() {
    watching = false;
    breaking = false;
    for (int n = 0; n < 4; n++) {
      watching |= enabled(n) && kind(n) != EXECUTE;
      breaking |= enabled(n) && kind(n) == EXECUTE;
    }
  }

  private boolean enabled(int n) {
    return (cpu.dr[7] >>> 2 * n & 3) != 0;
  }

  private int kind(int n) {
    return (int) (cpu.dr[7] >>> 16 + 4 * n) & 3;
  }

  private boolean overlaps(int n, long address, int size) {
    int length = switch ((int) (cpu.dr[7] >>> 18 + 4 * n) & 3) {
      case 0 -> 1;
      case 1 -> 2;
      case 2 -> 8;
      default -> 4;
    };
    long start = cpu.dr[n] & -length;
    return address < start + length && address + size > start;
  }

  /** The breakpoints on an instruction, as bits of DR6. A trap that is held back comes along. */
  int atInstruction(long va) {
    int hits = 0;
    for (int n = 0; n < 4; n++) {
      if (enabled(n) && kind(n) == EXECUTE && cpu.dr[n] == va) {
        hits |= 1 << n;
      }
    }
    if (hits != 0) {
      hits |= held;
      held = 0;
    }
    return hits;
  }

  /** Whether the page of {@code va} has a data breakpoint. */
  boolean watched(long va) {
    for (int n = 0; n < 4; n++) {
      if (enabled(n) && (cpu.dr[n] ^ va) >>> 12 == 0) {
        return true;
      }
    }
    return false;
  }

  /** Notes the data breakpoints that an access hits. */
  void accessed(long va, int size, int access) {
    for (int n = 0; n < 4; n++) {
      int kind = kind(n);
      boolean sees = kind == WRITE ? access == Mmu.WRITE : kind != EXECUTE && kind != PORT;
      if (enabled(n) && sees && overlaps(n, va, size)) {
        trap(1 << n);
      }
    }
  }

  /** Notes the breakpoints that an access to a port hits; only debugging extensions (CR4.DE) have such. */
  void accessedPort(int port, int size) {
    if (watching && (cpu.cr4 & Cpu.CR4_DE) != 0) {
      for (int n = 0; n < 4; n++) {
        if (enabled(n) && kind(n) == PORT && overlaps(n, port, size)) {
          trap(1 << n);
        }
      }
    }
  }

  /** Traps behind the running instruction. */
  void trap(int reasons) {
    pending |= reasons;
    cpu.lookAround();
  }

  /** The running instruction is MOV SS: its traps, but for single step, wait for the next. */
  void hold() {
    held |= pending & ~BS;
    pending = 0;
  }

  /**
   * The instruction behind MOV SS has run: reports what was held back, together with an INT1, otherwise at the next boundary, even if that
   * lies behind an INT n.
   *
   * @param exit how that instruction ended the run, or null
   * @return how it ends now
   */
  Exit release(Exit exit) {
    int reasons = held;
    held = 0;
    if (exit instanceof Exit.Exception e && e.vector() == Fault.DB) {
      return new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, e.address() | reasons);
    }
    if (reasons != 0) {
      trap(reasons);
    }
    return exit;
  }

  /** Takes the traps that are pending, as the exit they are. */
  Exit take() {
    Exit exit = new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, pending);
    pending = 0;
    return exit;
  }

  /** The running instruction has faulted: nothing of it has happened. */
  void drop() {
    pending = 0;
    held = 0;
  }
}
