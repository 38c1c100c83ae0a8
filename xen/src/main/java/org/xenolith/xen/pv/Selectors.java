package org.xenolith.xen.pv;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Fault;
import org.xenolith.isa.Instruction;

/** Selectors and descriptors that Xen provides to 64-bit PV guests (public header arch-x86/xen-x86_64.h), and loads of CS and SS. */
public final class Selectors {
  /** Code and data of the guest's kernel and user mode, all with privilege 3. */
  public static final int FLAT_CS64 = 0xe033, FLAT_CS32 = 0xe023, FLAT_SS = 0xe02b;

  /** The first selector that is Xen's own: entry 14 * 512 of the table. */
  public static final int FIRST_RESERVED = 14 * 512 * 8;

  /** Access rights as {@link Cpu#segmentAccess} keeps them: present, privilege 3, accessed. */
  private static final int ACCESS_CS64 = 0xa0fb, ACCESS_CS32 = 0xc0fb, ACCESS_DATA = 0xc0f3;

  private static final int PRESENT = 0x80, NOT_SYSTEM = 0x10, CODE = 8, CONFORMING = 4, WRITABLE = 2, LONG = 1 << 13, DEFAULT32 = 1 << 14;

  private Selectors() {}

  /** The descriptor of one of Xen's selectors, or -1 where Xen's part of the table has none for a guest. */
  static long reserved(int selector) {
    return switch (selector & ~7) {
      case FLAT_CS64 & ~7 -> 0x00af_fb00_0000_ffffL;
      case FLAT_CS32 & ~7 -> 0x00cf_fb00_0000_ffffL;
      case FLAT_SS & ~7 -> 0x00cf_f300_0000_ffffL;
      default -> -1;
    };
  }

  /** A code selector of a guest, made harmless (fixup_guest_code_selector, asm-x86/desc.h): its privilege is the guest's. */
  static int fixCode(int selector) {
    return selector & 0xffff | 3;
  }

  /** Sets CS to flat code of 64 or 32 bits and SS to flat data, without looking at a table, as SYSRET does. */
  public static void flat(Cpu cpu, boolean code32) {
    set(cpu, Instruction.CS, code32 ? FLAT_CS32 : FLAT_CS64, 0, -1, code32 ? ACCESS_CS32 : ACCESS_CS64);
    set(cpu, Instruction.SS, FLAT_SS, 0, -1, ACCESS_DATA);
  }

  /** Makes a segment register null, with the bases of FS and GS as they are. */
  public static void clear(Cpu cpu, int segment) {
    set(cpu, segment, 0, cpu.segmentBase[segment], 0, 0);
  }

  private static void set(Cpu cpu, int segment, int selector, long base, int limit, int access) {
    cpu.selector[segment] = selector;
    cpu.segmentBase[segment] = base;
    cpu.segmentLimit[segment] = limit;
    cpu.segmentAccess[segment] = access;
  }

  /**
   * Loads CS and SS from the selectors that the registers hold, as IRET to privilege 3 does (AMD64 APM volume 3, IRET).
   *
   * @throws Fault #GP, #NP or #SS with the selector where a descriptor does not do
   */
  static void loadForReturn(Cpu cpu) {
    int cs = cpu.selector[Instruction.CS];
    long code = present(cpu, cs, Fault.GP);
    int rights = rights(code);
    boolean conforming = (rights & CONFORMING) != 0;
    int dpl = rights >>> 5 & 3;
    boolean twoSizes = (rights & (LONG | DEFAULT32)) == (LONG | DEFAULT32);
    if ((rights & NOT_SYSTEM) == 0 || (rights & CODE) == 0 || !conforming && dpl != 3 || twoSizes) {
      throw cpu.fault(Fault.GP, cs & ~3);
    }
    if ((rights & PRESENT) == 0) {
      throw cpu.fault(Fault.NP, cs & ~3);
    }
    int ss = cpu.selector[Instruction.SS];
    long stack = present(cpu, ss, Fault.GP);
    int stackRights = rights(stack);
    if ((stackRights & NOT_SYSTEM) == 0 || (stackRights & CODE) != 0 || (stackRights & WRITABLE) == 0 || (stackRights >>> 5 & 3) != 3) {
      throw cpu.fault(Fault.GP, ss & ~3);
    }
    if ((stackRights & PRESENT) == 0) {
      throw cpu.fault(Fault.SS, ss & ~3);
    }
    if ((rights & LONG) != 0 && cpu.rip << 16 >> 16 != cpu.rip) {
      throw cpu.fault(Fault.GP, 0);
    }
    load(cpu, Instruction.CS, cs, code);
    load(cpu, Instruction.SS, ss, stack);
    if ((rights & LONG) == 0) {
      cpu.rip &= 0xffff_ffffL;
      cpu.r[Cpu.RSP] &= 0xffff_ffffL;
    }
  }

  private static long present(Cpu cpu, int selector, int vector) {
    if ((selector & 0xfffc) == 0) {
      throw cpu.fault(vector, 0);
    }
    long descriptor = cpu.descriptors.read(selector);
    if (descriptor == -1) {
      throw cpu.fault(vector, selector & ~3);
    }
    return descriptor;
  }

  private static void load(Cpu cpu, int segment, int selector, long descriptor) {
    cpu.descriptors.setAccessed(selector);
    set(cpu, segment, selector, base(descriptor), limit(descriptor), rights(descriptor) | 1);
  }

  /**
   * Loads a data segment register of a vcpu that starts; a selector that does not do becomes null. The bases of FS and GS stay, since they
   * are given apart.
   */
  static void load(Cpu cpu, int segment, int selector) {
    long base = cpu.segmentBase[segment];
    clear(cpu, segment);
    if (selector <= 3) {
      return;
    }
    try {
      long descriptor = cpu.descriptors.read(selector);
      int r = descriptor == -1 ? 0 : rights(descriptor);
      if ((r & (PRESENT | NOT_SYSTEM)) == (PRESENT | NOT_SYSTEM) && ((r & CODE) == 0 || (r & WRITABLE) != 0) && (r >>> 5 & 3) == 3) {
        load(cpu, segment, selector | 3, descriptor);
      }
    } catch (Fault f) {
      clear(cpu, segment);
    }
    if (segment >= Instruction.FS) {
      cpu.segmentBase[segment] = base;
    }
  }

  /** Bits 40 to 55 of a descriptor. */
  static int rights(long descriptor) {
    return (int) (descriptor >>> 40) & 0xf0ff;
  }

  static long base(long descriptor) {
    return descriptor >>> 16 & 0xff_ffff | descriptor >>> 32 & 0xff00_0000L;
  }

  static int limit(long descriptor) {
    int limit = (int) (descriptor & 0xffff | descriptor >>> 32 & 0xf_0000);
    return (descriptor & 1L << 55) != 0 ? limit << 12 | 0xfff : limit;
  }
}
