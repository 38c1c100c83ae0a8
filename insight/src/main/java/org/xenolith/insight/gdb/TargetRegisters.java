package org.xenolith.insight.gdb;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.x87.X87State;
import org.xenolith.isa.Instruction;

/**
 * A processor's registers as gdb sees them, and their description (GDB manual, "Target Descriptions" and "i386 Features"). Names beyond
 * gdb's own are those that QEMU's descriptions use: k_gs_base, cr0 to cr8, efer.
 */
final class TargetRegisters {
  private static final String CORE = "org.gnu.gdb.i386.core", SSE = "org.gnu.gdb.i386.sse", SEGMENTS = "org.gnu.gdb.i386.segments";
  private static final String SYSTEM = "org.xenolith.system";

  /** gdb's order of the general registers, by their numbers in instructions. */
  private static final int[] ORDER = {
    Cpu.RAX, Cpu.RBX, Cpu.RCX, Cpu.RDX, Cpu.RSI, Cpu.RDI, Cpu.RBP, Cpu.RSP,
    Cpu.R8, Cpu.R9, Cpu.R10, Cpu.R11, Cpu.R12, Cpu.R13, Cpu.R14, Cpu.R15
  };

  private static final String[] NAMES = {
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
  };

  /** The numbers of the registers that go with every stop. */
  static final int RBP = 6, RSP = 7, RIP = 16;

  private interface Get {
    long of(Cpu cpu);
  }

  private interface Set {
    void to(Cpu cpu, long value);
  }

  /** A register of up to 64 bits, or (with {@code high}) more. */
  private record Register(
      String feature, String name, int bits, String type, String group, Get get, Set set, Get high, Set setHigh) {
    int bytes() {
      return bits / 8;
    }

    void write(Cpu cpu, ByteBuffer from) {
      if (bits == 32) {
        set.to(cpu, from.getInt() & 0xffff_ffffL);
        return;
      }
      set.to(cpu, from.getLong());
      if (bits == 80) {
        setHigh.to(cpu, from.getShort() & 0xffff);
      } else if (bits == 128) {
        setHigh.to(cpu, from.getLong());
      }
    }

    void read(Cpu cpu, ByteBuffer into) {
      if (bits == 32) {
        into.putInt((int) get.of(cpu));
        return;
      }
      into.putLong(get.of(cpu));
      if (bits == 80) {
        into.putShort((short) high.of(cpu));
      } else if (bits == 128) {
        into.putLong(high.of(cpu));
      }
    }
  }

  private static final List<Register> ALL = new ArrayList<>();

  private TargetRegisters() {}

  private static void add(String feature, String name, int bits, String type, String group, Get get, Set set) {
    ALL.add(new Register(feature, name, bits, type, group, get, set, null, null));
  }

  /** Numbers follow from the order. */
  static {
    for (int n = 0; n < ORDER.length; n++) {
      int number = ORDER[n];
      String type = number == Cpu.RSP || number == Cpu.RBP ? "data_ptr" : "int64";
      add(CORE, NAMES[n], 64, type, null, c -> c.r[number], (c, v) -> c.r[number] = v);
    }
    add(CORE, "rip", 64, "code_ptr", null, c -> c.rip, (c, v) -> c.rip = v);
    add(CORE, "eflags", 32, "i386_eflags", null, Cpu::rflags, Cpu::setRflags);
    segment("cs", Instruction.CS);
    segment("ss", Instruction.SS);
    segment("ds", Instruction.DS);
    segment("es", Instruction.ES);
    segment("fs", Instruction.FS);
    segment("gs", Instruction.GS);
    for (int n = 0; n < 8; n++) {
      int number = n;
      ALL.add(
          new Register(
              CORE, "st" + n, 80, "i387_ext", null,
              c -> c.x87.state.significands[st(c, number)], (c, v) -> c.x87.state.significands[st(c, number)] = v,
              c -> c.x87.state.signExponents[st(c, number)], (c, v) -> c.x87.state.signExponents[st(c, number)] = (int) v));
    }
    x87("fctrl", s -> s.control, (s, v) -> s.setControlWord((int) v));
    x87("fstat", X87State::statusWord, (s, v) -> s.setStatusWord((int) v));
    x87("ftag", X87State::tagWord, (s, v) -> s.setTagWord((int) v));
    x87("fiseg", s -> s.codeSelector, (s, v) -> s.codeSelector = (int) v);
    x87("fioff", s -> s.instructionPointer, (s, v) -> s.instructionPointer = v);
    x87("foseg", s -> s.dataSelector, (s, v) -> s.dataSelector = (int) v);
    x87("fooff", s -> s.dataPointer, (s, v) -> s.dataPointer = v);
    x87("fop", s -> s.opcode, (s, v) -> s.opcode = (int) v & 0x7ff);
    for (int n = 0; n < 16; n++) {
      int low = 2 * n;
      ALL.add(
          new Register(
              SSE, "xmm" + n, 128, "vec128", "vector",
              c -> c.xmm[low], (c, v) -> c.xmm[low] = v, c -> c.xmm[low + 1], (c, v) -> c.xmm[low + 1] = v));
    }
    add(SSE, "mxcsr", 32, "i386_mxcsr", "vector", c -> c.vector.floats.mxcsr, (c, v) -> c.vector.floats.mxcsr = (int) v & 0xffff);
    base(SEGMENTS, "fs_base", Instruction.FS);
    base(SEGMENTS, "gs_base", Instruction.GS);
    add(SYSTEM, "k_gs_base", 64, "int64", "system", c -> c.kernelGsBase, (c, v) -> c.kernelGsBase = v);
    add(SYSTEM, "cr0", 64, "x64_cr0", "system", c -> c.cr0, (c, v) -> c.cr0 = v);
    add(SYSTEM, "cr2", 64, "int64", "system", c -> c.cr2, (c, v) -> c.cr2 = v);
    add(SYSTEM, "cr3", 64, "int64", "system", c -> c.cr3, (c, v) -> c.cr3 = v);
    add(SYSTEM, "cr4", 64, "x64_cr4", "system", c -> c.cr4, (c, v) -> c.cr4 = v);
    add(
        SYSTEM, "cr8", 64, "int64", "system",
        c -> c.platform.taskPriority(), (c, v) -> c.platform.setTaskPriority((int) v & 15));
    add(SYSTEM, "efer", 64, "x64_efer", "system", c -> c.efer, (c, v) -> c.efer = v);
  }

  private static int st(Cpu cpu, int n) {
    return cpu.x87.state.top + n & 7;
  }

  /** A selector: setting it here would not load its descriptor, so only what it is already can be written. */
  private static void segment(String name, int number) {
    add(
        CORE, name, 32, "int32", null, c -> c.selector[number],
        (c, v) -> {
          if (v != c.selector[number]) {
            throw new IllegalArgumentException("a selector without its descriptor");
          }
        });
  }

  private static void base(String feature, String name, int number) {
    add(feature, name, 64, "int64", "system", c -> c.segmentBase[number], (c, v) -> c.segmentBase[number] = v);
  }

  private interface GetX87 {
    long of(X87State state);
  }

  private interface SetX87 {
    void to(X87State state, long value);
  }

  private static void x87(String name, GetX87 get, SetX87 set) {
    add(CORE, name, 32, "int", "float", c -> get.of(c.x87.state), (c, v) -> set.to(c.x87.state, v));
  }

  // ---- Values ----

  static int count() {
    return ALL.size();
  }

  /**
   * The value of a register of up to 64 bits, which also goes by gdb's {@code pc} and {@code sp}.
   *
   * @throws IllegalArgumentException if there is none of that name
   */
  static long value(Cpu cpu, String name) {
    String wanted = name.equals("pc") ? "rip" : name.equals("sp") ? "rsp" : name;
    for (Register register : ALL) {
      if (register.name().equals(wanted) && register.bits() <= 64) {
        return register.get().of(cpu);
      }
    }
    throw new IllegalArgumentException("no register " + name);
  }

  /** The bytes of register {@code n}, the lowest first. */
  static byte[] read(Cpu cpu, int n) {
    Register register = ALL.get(n);
    ByteBuffer bytes = buffer(register.bytes());
    register.read(cpu, bytes);
    return bytes.array();
  }

  /** All registers, one behind the other. */
  static byte[] read(Cpu cpu) {
    ByteBuffer bytes = buffer(ALL.stream().mapToInt(Register::bytes).sum());
    for (Register register : ALL) {
      register.read(cpu, bytes);
    }
    return bytes.array();
  }

  /**
   * Sets register {@code n}.
   *
   * @throws IllegalArgumentException if the value has another size, or the register cannot be set to it
   */
  static void write(Cpu cpu, int n, byte[] value) {
    Register register = ALL.get(n);
    if (value.length != register.bytes()) {
      throw new IllegalArgumentException(register.name() + " has " + register.bytes() + " bytes");
    }
    register.write(cpu, ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN));
    written(cpu);
  }

  /**
   * Sets all registers.
   *
   * @throws IllegalArgumentException if these are not all, or one cannot be set to its value; those before it then are
   */
  static void write(Cpu cpu, byte[] values) {
    ByteBuffer from = ByteBuffer.wrap(values).order(ByteOrder.LITTLE_ENDIAN);
    if (values.length != ALL.stream().mapToInt(Register::bytes).sum()) {
      throw new IllegalArgumentException("these are not all registers");
    }
    for (Register register : ALL) {
      register.write(cpu, from);
    }
    written(cpu);
  }

  /** Control registers may be among what was set. */
  private static void written(Cpu cpu) {
    cpu.mmu.flushAll();
    cpu.refresh();
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  // ---- Description ----

  private static final String[][] EFLAGS = {
    {"CF", "0"}, {"", "1"}, {"PF", "2"}, {"AF", "4"}, {"ZF", "6"}, {"SF", "7"}, {"TF", "8"}, {"IF", "9"}, {"DF", "10"}, {"OF", "11"},
    {"NT", "14"}, {"RF", "16"}, {"VM", "17"}, {"AC", "18"}, {"VIF", "19"}, {"VIP", "20"}, {"ID", "21"}
  };

  private static final String[][] MXCSR = {
    {"IE", "0"}, {"DE", "1"}, {"ZE", "2"}, {"OE", "3"}, {"UE", "4"}, {"PE", "5"}, {"DAZ", "6"}, {"IM", "7"}, {"DM", "8"}, {"ZM", "9"},
    {"OM", "10"}, {"UM", "11"}, {"PM", "12"}, {"FZ", "15"}
  };

  private static final String[][] CR0 = {
    {"PE", "0"}, {"MP", "1"}, {"EM", "2"}, {"TS", "3"}, {"ET", "4"}, {"NE", "5"}, {"WP", "16"}, {"AM", "18"}, {"NW", "29"}, {"CD", "30"},
    {"PG", "31"}
  };

  private static final String[][] CR4 = {
    {"VME", "0"}, {"PVI", "1"}, {"TSD", "2"}, {"DE", "3"}, {"PSE", "4"}, {"PAE", "5"}, {"MCE", "6"}, {"PGE", "7"}, {"PCE", "8"},
    {"OSFXSR", "9"}, {"OSXMMEXCPT", "10"}, {"UMIP", "11"}, {"LA57", "12"}, {"FSGSBASE", "16"}, {"PCIDE", "17"}, {"OSXSAVE", "18"},
    {"SMEP", "20"}, {"SMAP", "21"}, {"PKE", "22"}
  };

  private static final String[][] EFER = {{"SCE", "0"}, {"LME", "8"}, {"LMA", "10"}, {"NXE", "11"}, {"SVME", "12"}, {"FFXSR", "14"}};

  /** The target description. */
  static String description() {
    StringBuilder xml = new StringBuilder("<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n");
    xml.append("<target version=\"1.0\">\n<architecture>i386:x86-64</architecture>\n");
    String feature = null;
    for (Register register : ALL) {
      if (!register.feature().equals(feature)) {
        xml.append(feature == null ? "" : "</feature>\n").append("<feature name=\"%s\">\n".formatted(register.feature()));
        feature = register.feature();
        types(xml, feature);
      }
      xml.append("<reg name=\"%s\" bitsize=\"%d\" type=\"%s\"".formatted(register.name(), register.bits(), register.type()));
      xml.append(register.group() == null ? "/>\n" : " group=\"%s\"/>\n".formatted(register.group()));
    }
    return xml.append("</feature>\n</target>\n").toString();
  }

  private static void types(StringBuilder xml, String feature) {
    switch (feature) {
      case CORE -> flags(xml, "i386_eflags", 4, EFLAGS);
      case SSE -> {
        xml.append("<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>\n<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>\n");
        xml.append("<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>\n<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>\n");
        xml.append("<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>\n<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n");
        xml.append("<union id=\"vec128\">\n");
        for (String[] field : new String[][] {
          {"v4_float", "v4f"}, {"v2_double", "v2d"}, {"v16_int8", "v16i8"}, {"v8_int16", "v8i16"}, {"v4_int32", "v4i32"},
          {"v2_int64", "v2i64"}, {"uint128", "uint128"}
        }) {
          xml.append("<field name=\"%s\" type=\"%s\"/>\n".formatted(field[0], field[1]));
        }
        xml.append("</union>\n");
        flags(xml, "i386_mxcsr", 4, MXCSR);
      }
      case SYSTEM -> {
        flags(xml, "x64_cr0", 8, CR0);
        flags(xml, "x64_cr4", 8, CR4);
        flags(xml, "x64_efer", 8, EFER);
      }
      default -> {}
    }
  }

  private static void flags(StringBuilder xml, String id, int bytes, String[][] bits) {
    xml.append("<flags id=\"%s\" size=\"%d\">\n".formatted(id, bytes));
    for (String[] bit : bits) {
      xml.append("<field name=\"%s\" start=\"%2$s\" end=\"%2$s\"/>\n".formatted(bit[0], bit[1]));
    }
    xml.append("</flags>\n");
  }
}
