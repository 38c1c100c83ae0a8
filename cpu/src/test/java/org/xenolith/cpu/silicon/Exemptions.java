package org.xenolith.cpu.silicon;

import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Fault;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/** What is not compared with the host's processor: rows, each with the reason; and cases, where the host is not of the model's vendor. */
final class Exemptions {
  private static final Map<Mnemonic, String> BY_MNEMONIC = new EnumMap<>(Mnemonic.class);

  private static final Map<String, String> BY_ROW = new HashMap<>();

  private Exemptions() {}

  /** Why a row is not compared, or null if it is. */
  static String reason(Encoding row) {
    return BY_ROW.getOrDefault(row.toString(), BY_MNEMONIC.get(row.mnemonic));
  }

  /**
   * Whether a case is one where other vendors' processors than AMD's do otherwise, and may.
   *
   * @param host what the host's processor made of it
   */
  static boolean vendorsDiffer(Instruction i, Case host) {
    boolean faulted = host.trap() != Fault.BP;
    return switch (i.mnemonic) {
      // Operands of 16 bits are ignored in 64-bit mode (Intel SDM volume 2, Jcc, CALL, JMP, LOOP, RET), and taken by AMD (APM volume 3).
      case JCC, JMP, RET, LOOP, LOOPE, LOOPNE, JRCXZ -> (i.prefixes & Instruction.OPERAND_SIZE) != 0;
      // Nor does a call whose target is not canonical store the return address first everywhere.
      case CALL -> (i.prefixes & Instruction.OPERAND_SIZE) != 0 || host.trap() == Fault.GP;
      // A count beyond the operand leaves the result undefined (Intel SDM volume 2, SHLD and SHRD).
      case SHLD, SHRD -> Oracle.count(i, host) > 8L * i.width;
      // A fault takes the flags back to what they were before all iterations (Intel SDM volume 2, REP).
      case CMPS, SCAS -> faulted;
      // The x87 unit's top of stack may be 0 already when an MMX store faults.
      case MOVD, MOVQ, MOVNTQ -> faulted && i.kind1 == OperandKind.MMX;
      // Whether alignment of 16 bytes is checked for these (Intel SDM volume 1, 4.1.1 and MOVUPS; AMD APM volume 2, 8.2.18).
      case MOVDQU, MOVUPS, MOVUPD, LDDQU, PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM -> (host.rflags() & Cpu.AC) != 0;
      // A store across pages may have done its first part when the second faults.
      case FSTP, FBSTP -> faulted;
      // Which of several NaNs the sum is.
      case DPPS, DPPD -> true;
      // Which of the bytes is faulted on.
      case MASKMOVDQU, MASKMOVQ -> faulted;
      default -> false;
    };
  }

  /** Whether a case is one that a hypervisor below the host may have answered otherwise than the processor. */
  static boolean hypervisorsDiffer(Instruction i, Case host) {
    // A gate that is not open to programs is refused with #GP and an error code that names it (AMD APM volume 2, 8.2.14).
    return i.mnemonic == Mnemonic.INT && (host.trap() == Fault.GP || host.trap() == Fault.UD) && host.error() == 0;
  }

  private static void exempt(String reason, String... mnemonics) {
    for (String name : mnemonics) {
      BY_MNEMONIC.put(Mnemonic.valueOf(name), reason);
    }
  }

  static {
    exempt("enters the host's kernel", "SYSCALL", "SYSENTER");
    exempt("its result is the processor's identity", "CPUID");
    exempt("its result is the time", "RDTSC", "RDTSCP");
    exempt("approximation that differs between processors", "RCPPS", "RCPSS", "RSQRTPS", "RSQRTSS");
    exempt("transcendental: a method of our own, see its own test", "FSIN", "FCOS", "FSINCOS", "FPTAN", "FPATAN", "F2XM1", "FYL2X",
        "FYL2XP1");
    exempt("the host has more extended state", "XSAVE", "XSAVEOPT", "XSAVEC", "XRSTOR", "XGETBV", "XSETBV");
    exempt("segment bases belong to the host program", "RDFSBASE", "RDGSBASE", "WRFSBASE", "WRGSBASE");
    exempt("its result is a table or register of the host's kernel", "SGDT", "SIDT", "SLDT", "STR", "SMSW", "LAR", "LSL", "VERR", "VERW");
    exempt("needs descriptors of the host's kernel", "LDS", "LES", "LFS", "LGS", "LSS", "IRET", "RETF", "CALLF", "JMPF");
    for (String row : new String[] {"POP FS", "POP GS", "MOV Sw,Ew"}) {
      BY_ROW.put(row, "needs descriptors of the host's kernel");
    }
    exempt("whether it is refused for the mode or the privilege differs between AMD's processors", "SYSEXIT");
    exempt("a hypervisor below the host may report it as a fault", "INT1");
  }
}
