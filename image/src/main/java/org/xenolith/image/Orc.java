package org.xenolith.image;

import java.util.Optional;

/**
 * A Linux kernel's tables for unwinding stacks without frame pointers: for every range of code, where the frame of the caller is
 * (Linux: arch/x86/include/asm/orc_types.h; CONFIG_UNWINDER_ORC). Two sections, sorted by address: {@code .orc_unwind_ip} with one 32-bit
 * distance to the code each, and {@code .orc_unwind} with entries of 6 bytes.
 */
public final class Orc {
  /** What lies on the stack at the frame's end. */
  public enum Kind {
    /** Nothing that can be unwound. */
    NONE,
    /** The first frame: nothing called it. */
    END,
    /** A return address. */
    CALL,
    /** A whole struct pt_regs. */
    REGISTERS,
    /** The part of struct pt_regs that the processor pushes. */
    PARTIAL_REGISTERS
  }

  /** Registers that frames are found by (ORC_REG_*). */
  public static final int UNDEFINED = 0, PREVIOUS_SP = 1, DX = 2, DI = 3, BP = 4, SP = 5, R10 = 6, R13 = 7;

  /** The address in the register, or rather what lies there in memory. */
  public static final int BP_INDIRECT = 8, SP_INDIRECT = 9;

  /**
   * How to find the caller's frame.
   *
   * @param spRegister what the end of the frame is found by
   * @param spOffset and how far from it
   * @param bpRegister what the caller's rbp is found by; {@link #UNDEFINED}: it did not change
   * @param bpOffset and how far from it
   */
  public record Hint(Kind kind, int spRegister, int spOffset, int bpRegister, int bpOffset) {}

  private static final int ENTRY = 6, DISTANCE = 4;

  private final Bytes distances;
  private final Bytes entries;
  private final long distancesVa;
  private final int size;
  private final boolean numberedFromUndefined;

  private Orc(Section ip, Section hints, boolean numberedFromUndefined) {
    distances = new Bytes(ip.data());
    entries = new Bytes(hints.data());
    distancesVa = ip.va();
    size = (int) Math.min(distances.size() / DISTANCE, entries.size() / ENTRY);
    this.numberedFromUndefined = numberedFromUndefined;
  }

  /**
   * The tables of a kernel, if it has them.
   *
   * @param release such as "6.1.0-56-amd64": Linux 6.4 numbered the kinds anew; empty: told by the section {@code .orc_header}
   */
  static Optional<Orc> find(Elf elf, String release) {
    Optional<Section> ip = elf.section(".orc_unwind_ip");
    Optional<Section> hints = elf.section(".orc_unwind");
    if (ip.isEmpty() || hints.isEmpty() || ip.get().data().byteSize() == 0) {
      return Optional.empty();
    }
    return Optional.of(new Orc(ip.get(), hints.get(), elf.section(".orc_header").isPresent() || since64(release)));
  }

  private static boolean since64(String release) {
    String[] numbers = release.split("[^0-9]", 3);
    try {
      int major = Integer.parseInt(numbers[0]);
      return major > 6 || major == 6 && numbers.length > 1 && Integer.parseInt(numbers[1]) >= 4;
    } catch (NumberFormatException e) {
      return false;
    }
  }

  /** Ranges of code that have an entry. */
  public int size() {
    return size;
  }

  /** The address at which the range of an entry begins; it ends where the next one's begins. */
  long address(int index) {
    long at = (long) index * DISTANCE;
    return distancesVa + at + (int) distances.u32("ORC address", at);
  }

  /** How to unwind from the instruction at {@code va}; empty before the first range and where nothing can be said. */
  public Optional<Hint> at(long va) {
    int low = 0;
    int high = size;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (Long.compareUnsigned(address(middle), va) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low == 0 ? Optional.empty() : Optional.of(hint(low - 1));
  }

  /** How to unwind in the range of an entry. */
  Hint hint(int index) {
    long at = (long) index * ENTRY;
    int bits = entries.u16("ORC entry", at + 4);
    int spRegister = bits & 15;
    Kind kind = numberedFromUndefined ? kind64(bits >>> 8 & 7) : kindBefore64(bits >>> 8 & 3, spRegister, (bits & 1 << 10) != 0);
    short spOffset = (short) entries.u16("ORC entry", at);
    short bpOffset = (short) entries.u16("ORC entry", at + 2);
    return new Hint(kind, spRegister, spOffset, bits >>> 4 & 15, bpOffset);
  }

  private static Kind kind64(int type) {
    return type < Kind.values().length ? Kind.values()[type] : Kind.NONE;
  }

  private static Kind kindBefore64(int type, int spRegister, boolean end) {
    if (spRegister == UNDEFINED) {
      return end ? Kind.END : Kind.NONE;
    }
    return switch (type) {
      case 0 -> Kind.CALL;
      case 1 -> Kind.REGISTERS;
      case 2 -> Kind.PARTIAL_REGISTERS;
      default -> Kind.NONE;
    };
  }
}
