package org.xenolith.cpu.silicon;

import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Mnemonic;

/** Rows that are not compared with the host's processor, each with the reason. */
final class Exemptions {
  private static final Map<Mnemonic, String> BY_MNEMONIC = new EnumMap<>(Mnemonic.class);

  private static final Map<String, String> BY_ROW = new HashMap<>();

  private Exemptions() {}

  /** Why a row is not compared, or null if it is. */
  static String reason(Encoding row) {
    return BY_ROW.getOrDefault(row.toString(), BY_MNEMONIC.get(row.mnemonic));
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
    exempt("a hypervisor below the host may report it as a fault", "INT1");
  }
}
