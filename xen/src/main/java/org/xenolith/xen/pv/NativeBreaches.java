package org.xenolith.xen.pv;

import java.util.EnumSet;
import java.util.Set;
import org.xenolith.cpu.Fault;
import org.xenolith.isa.Decoder;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Breach.Effect;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.MachineToPhys;
import org.xenolith.xen.rules.Rule;
import org.xenolith.xen.rules.XenLine;

/**
 * Tells the observer of faults that the guest's kernel gets because it forgot where it runs: native instructions, ports, Xen's addresses.
 * Faults that kernels take on purpose are left out: probing model-specific registers, and reading the machine-to-physical table where it
 * has holes.
 */
final class NativeBreaches {
  private static final long XEN_START = 0xffff_8000_0000_0000L, XEN_END = 0xffff_8800_0000_0000L;

  /** Instructions for ring 0 that Xen gives back. */
  private static final Set<Mnemonic> NATIVE =
      EnumSet.of(
          Mnemonic.LGDT, Mnemonic.LIDT, Mnemonic.LLDT, Mnemonic.LTR, Mnemonic.LMSW, Mnemonic.INVLPG, Mnemonic.INVD, Mnemonic.HLT,
          Mnemonic.CLI, Mnemonic.STI, Mnemonic.SWAPGS, Mnemonic.SYSRET, Mnemonic.SYSEXIT, Mnemonic.IRET, Mnemonic.XSETBV);

  private final Vcpu vcpu;
  private final Decoder decoder = new Decoder();
  private final byte[] code = new byte[Decoder.MAX_LENGTH];

  NativeBreaches(Vcpu vcpu) {
    this.vcpu = vcpu;
  }

  /** The guest takes a #GP for the instruction at RIP. */
  void generalProtection() {
    Instruction i = decode();
    if (i == null) {
      return;
    }
    Mnemonic name = i.encoding.mnemonic;
    boolean port = name == Mnemonic.IN || name == Mnemonic.OUT || name == Mnemonic.INS || name == Mnemonic.OUTS;
    if (!vcpu.kernelMode) {
      if (port) {
        userPort(i);
      }
    } else if (port) {
      tell(Rule.PORT_PERMISSION, "%s at 0x%x: neither IOPL nor a bitmap allows the port".formatted(i, i.address));
    } else if (i.kind0 == OperandKind.CR && i.reg0 == 0) {
      long value = vcpu.cpu.r[i.reg1];
      tell(Rule.WRITE_PROTECTION_ON, "%s at 0x%x would make CR0 0x%x: only TS can be changed".formatted(i, i.address, value),
          new XenLine("Attempt to change unmodifiable CR0 flags", XenLine.Build.DEBUG));
    } else if (NATIVE.contains(name) || i.kind0 == OperandKind.CR || i.kind1 == OperandKind.CR) {
      tell(Rule.NATIVE_INSTRUCTION, "%s at 0x%x is for ring 0, and Xen does not carry it out".formatted(i, i.address));
    }
  }

  /** User mode may use the ports that its kernel opened to it; a kernel that did so as without a hypervisor has forgotten where it runs. */
  private void userPort(Instruction i) {
    int port = PrivilegedOps.portOf(i, vcpu.cpu);
    if (vcpu.domain.xen.observer.opensPort(vcpu, port)) {
      tell(Rule.PORT_PERMISSION, "%s at 0x%x in user mode, port 0x%x: the kernel opened the port in its task state segment, not by "
          .formatted(i, i.address, port) + "PHYSDEVOP_set_iobitmap or PHYSDEVOP_set_iopl");
    }
  }

  /** The kernel takes a page fault. */
  void pageFault(int errorCode, long va) {
    if (!vcpu.kernelMode || Long.compareUnsigned(va, XEN_START) < 0 || Long.compareUnsigned(va, XEN_END) >= 0) {
      return;
    }
    boolean write = (errorCode & Fault.PF_WRITE) != 0;
    if (Long.compareUnsigned(va, MachineToPhys.VIRT_END) < 0) {
      if (write) {
        tell(Rule.READ_ONLY_M2P, "a store to 0x%x, in the machine-to-physical table".formatted(va));
      }
    } else {
      tell(Rule.XEN_ADDRESSES, "%s 0x%x, in Xen's range".formatted(write ? "a store to" : "a read or jump to", va));
    }
  }

  private Instruction decode() {
    int length = GuestAccess.copyInstruction(vcpu.cpu, code);
    return decoder.decode(code, 0, length, vcpu.cpu.rip, vcpu.cpu.mode);
  }

  private void tell(Rule rule, String message, XenLine... lines) {
    vcpu.domain.xen.observer.breach(vcpu, Breach.byInstruction(rule, Effect.FAULT, message, lines));
  }
}
