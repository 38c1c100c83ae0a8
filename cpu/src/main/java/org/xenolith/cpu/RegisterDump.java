package org.xenolith.cpu;

/** A processor's registers as text. */
final class RegisterDump {
  private static final String[] REGISTERS = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
  };

  private static final String[] SEGMENTS = {"es", "cs", "ss", "ds", "fs", "gs"};

  private RegisterDump() {}

  static String of(Cpu c) {
    StringBuilder text = new StringBuilder(1200);
    text.append("rip=%016x rflags=%06x [%s] cpl=%d %s%n".formatted(c.rip, c.rflags(), flags(c.rflags()), c.cpl, c.mode));
    for (int n = 0; n < 16; n++) {
      text.append("%-3s=%016x".formatted(REGISTERS[n], c.r[n])).append((n & 3) == 3 ? "\n" : "  ");
    }
    for (int s = 0; s < 6; s++) {
      text.append("%s=%04x base %016x limit %08x rights %04x%s".formatted(
          SEGMENTS[s], c.selector[s], c.segmentBase[s], c.segmentLimit[s], c.segmentAccess[s], (s & 1) == 1 ? "\n" : "  "));
    }
    text.append("cr0=%08x cr2=%016x cr3=%016x cr4=%06x efer=%04x%n".formatted(c.cr0, c.cr2, c.cr3, c.cr4, c.efer));
    if (c.ownsRing0) {
      text.append("gdt=%016x/%04x idt=%016x/%04x ldt=%04x tr=%04x base %016x limit %08x%n".formatted(
          c.gdtBase, c.gdtLimit, c.idtBase, c.idtLimit, c.ldtSelector, c.taskSelector, c.taskBase, c.taskLimit));
    }
    text.append("dr6=%08x dr7=%08x retired=%d clock=%d%n".formatted(c.dr[6], c.dr[7], c.retired, c.clock.now));
    return text.toString();
  }

  private static String flags(long flags) {
    String names = "C-P-A-ZSTIDO";
    StringBuilder text = new StringBuilder(12);
    for (int bit = 11; bit >= 0; bit--) {
      text.append((flags >>> bit & 1) != 0 && names.charAt(bit) != '-' ? names.charAt(bit) : '.');
    }
    return text.toString();
  }
}
