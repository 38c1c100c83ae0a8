package org.xenolith.cpu.silicon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Fault;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Decoder;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/** Compares what the two sides made of a case. */
final class Oracle {
  private static final String[] NAMES = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
  };

  private static final long SYSTEM_FLAGS = Cpu.DF | Cpu.AC | Cpu.ID | Cpu.TF | Cpu.NT;
  /** Where the addresses end that Linux gives to programs (TASK_SIZE_MAX). */
  private static final long LINUX_ADDRESSES = 0x7fff_ffff_f000L;

  private static final Decoder DECODER = new Decoder();

  private Oracle() {}

  static Instruction decode(byte[] code) {
    byte[] padded = Arrays.copyOf(code, Case.CODE_ROOM);
    Instruction i = DECODER.decode(padded, 0, padded.length, Case.CODE_VA, CpuMode.LONG64);
    if (i == null) {
      throw new IllegalStateException("does not decode: " + HexFormat.of().formatHex(code));
    }
    return i;
  }

  /** The differences, in words; empty if there are none. */
  static List<String> differences(Case host, Case ours) {
    Instruction i = decode(host.code());
    List<String> found = new ArrayList<>();
    differ(found, "trap", host.trap(), ours.trap());
    if (i.encoding.mnemonic == Mnemonic.ENTER && host.trap() != Fault.BP) {
      // The host has stored a part of the new frame by then, in an order of its own; ours has done nothing (law 3).
      return found;
    }
    if (host.trap() != Fault.BP) {
      int error = host.error();
      if (host.trap() == Fault.PF && (Long.compareUnsigned(host.cr2(), LINUX_ADDRESSES) >= 0 || HostProgram.owns(host.cr2()))) {
        // Linux hides from programs whether its own addresses are mapped (set_signal_archinfo()), and the host's side has pages of its own.
        error = error & ~Fault.PF_PRESENT | ours.error() & Fault.PF_PRESENT;
      }
      differ(found, "error code", error, ours.error());
    }
    if (host.trap() == Fault.PF) {
      differ(found, "cr2", host.cr2(), ours.cr2());
    }
    differ(found, "rip", host.ripAfter(), ours.ripAfter());
    for (int n = 0; n < 16; n++) {
      differ(found, NAMES[n], host.registerAfter(n), ours.registerAfter(n));
    }
    long flags = SYSTEM_FLAGS | Cpu.ARITHMETIC & ~undefinedFlags(i, host);
    differ(found, "rflags", host.rflagsAfter() & flags, ours.rflagsAfter() & flags);
    byte[] theirs = FxState.comparable(host.fxAfter());
    byte[] mine = FxState.comparable(ours.fxAfter());
    for (int n = 0; n < theirs.length; n++) {
      if (theirs[n] != mine[n]) {
        int from = n & ~7;
        found.add("fxsave+" + from + ": " + hex(theirs, from, 8) + ", ours " + hex(mine, from, 8));
        n = from + 7;
      }
    }
    if (i.encoding.mnemonic == Mnemonic.FXSAVE && host.trap() == Fault.BP) {
      // Which bits of MXCSR exist is the processor's own.
      long va = base(host, i.base) + (base(host, i.index) << i.shift) + i.ea + FxState.MXCSR_MASK - Case.DATA_VA;
      ours.dataAfter().asSlice(va, 4).copyFrom(host.dataAfter().asSlice(va, 4));
    }
    long at = host.dataAfter().mismatch(ours.dataAfter());
    if (at >= 0) {
      long from = Math.min(at, Case.DATA_SIZE - 16);
      found.add("memory at " + Long.toHexString(Case.DATA_VA + from) + ": " + hex(host.dataAfter(), from) + ", ours "
          + hex(ours.dataAfter(), from));
    }
    return found;
  }

  /** The flags that need not agree: none when the instruction did not finish, and for shifts those that the count itself leaves open. */
  private static long undefinedFlags(Instruction i, Case host) {
    Encoding row = i.encoding;
    boolean finished = host.ripAfter() == i.next() + 1;
    if (!finished) {
      return 0;
    }
    if (!row.has(Encoding.COUNT)) {
      return row.flagsUndefined;
    }
    long count = count(i, host);
    if (count == 0) {
      return 0;
    }
    if ((row.mnemonic == Mnemonic.SHLD || row.mnemonic == Mnemonic.SHRD) && count > 8L * i.width) {
      return Cpu.ARITHMETIC;
    }
    return count == 1 ? row.flagsUndefined : row.flagsUndefined | Cpu.OF;
  }

  /** By how much a shift shifts. */
  static long count(Instruction i, Case host) {
    OperandKind last = i.kind2 == OperandKind.NONE ? i.kind1 : i.kind2;
    return (last == OperandKind.IMM ? i.imm : host.register(Cpu.RCX)) & (i.width == 8 ? 63 : 31);
  }

  private static long base(Case c, int register) {
    return register == Instruction.NO_REGISTER ? 0 : c.register(register);
  }

  private static void differ(List<String> found, String what, long host, long ours) {
    if (host != ours) {
      found.add(what + ": " + Long.toHexString(host) + ", ours " + Long.toHexString(ours));
    }
  }

  private static String hex(MemorySegment bytes, long from) {
    return hex(bytes.asSlice(from, 16).toArray(ValueLayout.JAVA_BYTE), 0, 16);
  }

  private static String hex(byte[] bytes, int from, int length) {
    return HexFormat.of().formatHex(bytes, from, from + length);
  }

  /** The case before it ran, for a report. */
  static String describe(Case c) {
    StringBuilder text = new StringBuilder();
    Instruction i = decode(c.code());
    text.append(HexFormat.of().formatHex(c.code(), 0, i.length)).append("  ").append(i).append("   (").append(i.encoding).append(")\n");
    for (int n = 0; n < 16; n++) {
      text.append("    ").append(NAMES[n]).append('=').append(Long.toHexString(c.register(n))).append(n % 4 == 3 ? "\n" : "");
    }
    return text.append("    rflags=").append(Long.toHexString(c.rflags())).append(", ").append(FxState.describe(c.fx())).toString();
  }
}
