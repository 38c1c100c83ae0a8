package org.xenolith.xen.pv;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Fault;
import org.xenolith.isa.Decoder;
import org.xenolith.isa.Feature;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.Vcpu;

/**
 * Instructions that fault in ring 3 and that Xen carries out for a PV guest's kernel (pv/emul-priv-op.c, emul-inv-op.c). What is not in the
 * list is the guest's own fault.
 */
final class PrivilegedOps {
  /** CR0 of the machine while a guest runs. */
  static final long CR0 = 0x8005_0033L;

  private static final long CR4_TSD = 4, CR4_DE = 8, CR4_FSGSBASE = 1 << 16, CR4_OSXSAVE = 1 << 18;

  /** Bits of CR4 that a guest may change, and those of Xen's that it may see (PV_CR4_GUEST_MASK, PV_CR4_GUEST_VISIBLE_MASK). */
  private static final long CR4_GUEST = CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE, CR4_VISIBLE = 0x660;

  private static final int MAX_REPEAT = 4096;

  /** What became of an instruction. */
  enum Result {
    /** Carried out, or another fault injected. */
    DONE,
    /** Not one that Xen carries out: the fault is the guest's. */
    REFLECT
  }

  private final Vcpu vcpu;
  private final Cpu cpu;
  private final PvState pv;
  private final PvEntry entry;
  private final Ports ports;
  private final Msrs msrs;
  private final Decoder decoder = new Decoder();
  private final byte[] code = new byte[Decoder.MAX_LENGTH];
  private final byte[] data = new byte[8];
  private final int[] leaf = new int[4];

  PrivilegedOps(Vcpu vcpu, PvEntry entry, Ports ports) {
    this.vcpu = vcpu;
    this.cpu = vcpu.cpu;
    this.pv = vcpu.pv;
    this.entry = entry;
    this.ports = ports;
    this.msrs = new Msrs(cpu);
    pv.cr4 = CR4_VISIBLE;
  }

  // ---- #UD: forced emulation ----

  /** {@code ud2a; .ascii "xen"; cpuid} (public header arch-x86/xen.h, XEN_EMULATE_PREFIX). */
  Result invalidOpcode() {
    for (int n = 0; n < 7; n++) {
      if (!GuestAccess.copyIn(cpu, cpu.rip + n, code, n, 1)) {
        entry.inject(Fault.PF, 0, cpu.rip + n);
        return Result.DONE;
      }
      if (n == 4 && !(code[0] == 0x0f && code[1] == 0x0b && code[2] == 'x' && code[3] == 'e' && code[4] == 'n')) {
        return Result.REFLECT;
      }
    }
    if (code[5] != 0x0f || code[6] != (byte) 0xa2) {
      return Result.REFLECT;
    }
    boolean leaf1 = (int) cpu.r[Cpu.RAX] == 1;
    cpuid();
    if (leaf1 && vcpu.kernelMode && cpu.model.offers(Feature.XSAVE)) {
      // Here a kernel sees Xen's own CR4.OSXSAVE, which is part of the ABI by now (guest_cpuid; Linux, xen_check_xsave).
      cpu.r[Cpu.RCX] |= 1 << 27;
    }
    finish(cpu.rip + 7);
    return Result.DONE;
  }

  private void cpuid() {
    cpu.model.cpuid(cpu, (int) cpu.r[Cpu.RAX], (int) cpu.r[Cpu.RCX], leaf);
    cpu.r[Cpu.RAX] = leaf[0] & 0xffff_ffffL;
    cpu.r[Cpu.RBX] = leaf[1] & 0xffff_ffffL;
    cpu.r[Cpu.RCX] = leaf[2] & 0xffff_ffffL;
    cpu.r[Cpu.RDX] = leaf[3] & 0xffff_ffffL;
  }

  private void finish(long rip) {
    boolean single = (cpu.eflags & Cpu.TF) != 0;
    cpu.rip = rip;
    cpu.setRflags(cpu.rflags() & ~Cpu.RF);
    if (single) {
      entry.inject(Fault.DB, Fault.NO_ERROR_CODE, 1 << 14);
    }
  }

  // ---- #GP(0) ----

  /** Carries out the instruction at RIP, which raised #GP(0). */
  Result generalProtection() {
    int length = GuestAccess.copyInstruction(cpu, code);
    Instruction i = decoder.decode(code, 0, length, cpu.rip, cpu.mode);
    if (i == null) {
      return Result.REFLECT;
    }
    boolean kernel = vcpu.kernelMode;
    Result result =
        switch (i.encoding.mnemonic) {
          case IN, OUT, INS, OUTS -> port(i);
          case CLI, STI -> ioPrivilege() ? Result.DONE : Result.REFLECT;
          case CPUID -> {
            cpuid();
            yield Result.DONE;
          }
          case RDTSC, RDTSCP -> {
            if (!kernel && (pv.cr4 & CR4_TSD) != 0) {
              yield Result.REFLECT;
            }
            long tsc = cpu.clock.now + cpu.tscOffset;
            cpu.r[Cpu.RAX] = tsc & 0xffff_ffffL;
            cpu.r[Cpu.RDX] = tsc >>> 32;
            if (i.encoding.mnemonic == Mnemonic.RDTSCP) {
              cpu.r[Cpu.RCX] = cpu.tscAux;
            }
            yield Result.DONE;
          }
          case CLTS -> kernel ? setCr0(readCr(0) & ~Cpu.CR0_TS) : Result.REFLECT;
          // A domain without devices has no caches to flush for them.
          case WBINVD -> kernel ? Result.DONE : Result.REFLECT;
          case XSETBV -> kernel ? setExtendedControl() : Result.REFLECT;
          case RDMSR -> kernel ? readMsr() : Result.REFLECT;
          case WRMSR -> kernel ? writeMsr() : Result.REFLECT;
          case MOV -> kernel ? moveSystemRegister(i) : Result.REFLECT;
          default -> Result.REFLECT;
        };
    if (result == Result.DONE && !pv.bounce && i.encoding.mnemonic != Mnemonic.INS
        && i.encoding.mnemonic != Mnemonic.OUTS) {
      finish(i.next());
    }
    return result;
  }

  /** Whether the virtual I/O privilege level suffices; a kernel counts as ring 1, or 0 with architectural_iopl (iopl_ok). */
  private boolean ioPrivilege() {
    int level = vcpu.kernelMode ? (vcpu.domain.assists & Domain.ASSIST_ARCHITECTURAL_IOPL) != 0 ? 0 : 1 : 3;
    return level << 12 <= pv.iopl;
  }

  private boolean portAllowed(int port, int size) {
    if (ioPrivilege()) {
      return true;
    }
    if (port + size > pv.ioBitmapPorts) {
      return false;
    }
    boolean user = !vcpu.kernelMode;
    if (user) {
      // The bitmap is in the kernel's address space.
      long cr3 = cpu.cr3;
      cpu.cr3 = vcpu.kernelRootMfn << 12;
      boolean read = GuestAccess.copyIn(cpu, pv.ioBitmap + (port >>> 3), data, 0, 2);
      cpu.cr3 = cr3;
      if (!read) {
        return false;
      }
    } else if (!GuestAccess.copyIn(cpu, pv.ioBitmap + (port >>> 3), data, 0, 2)) {
      entry.inject(Fault.PF, 0, pv.ioBitmap + (port >>> 3));
      return false;
    }
    int mask = data[0] & 0xff | (data[1] & 0xff) << 8;
    return (mask & (1 << size) - 1 << (port & 7)) == 0;
  }

  /** The port of IN, OUT, INS or OUTS: E4 to E7 name it in the instruction, the others take it from dx. */
  static int portOf(Instruction i, Cpu cpu) {
    boolean immediate = (i.encoding.opcode & 0xfc) == 0xe4;
    return (int) (immediate ? i.imm & 0xff : cpu.r[Cpu.RDX] & 0xffff);
  }

  private Result port(Instruction i) {
    Mnemonic name = i.encoding.mnemonic;
    boolean string = name == Mnemonic.INS || name == Mnemonic.OUTS;
    boolean in = name == Mnemonic.IN || name == Mnemonic.INS;
    int port = portOf(i, cpu);
    int size = Math.min(i.width, 4);
    if (!portAllowed(port, size)) {
      return pv.bounce ? Result.DONE : Result.REFLECT;
    }
    int hits = DebugRegisters.portHits(vcpu, port, size);
    if (string) {
      return stringPort(i, in, port, size, hits);
    }
    if (in) {
      long value = ports.read(port, size) & 0xffff_ffffL;
      long mask = size == 4 ? 0 : ~((1L << 8 * size) - 1);
      cpu.r[Cpu.RAX] = cpu.r[Cpu.RAX] & mask | value;
    } else {
      ports.write(port, size, (int) cpu.r[Cpu.RAX]);
    }
    if (hits != 0) {
      finish(i.next());
      entry.inject(Fault.DB, Fault.NO_ERROR_CODE, hits);
    }
    return Result.DONE;
  }

  private Result stringPort(Instruction i, boolean in, int port, int size, int hits) {
    boolean repeat = (i.prefixes & (Instruction.REP | Instruction.REPNE)) != 0;
    long addresses = i.addressWidth == 8 ? -1L : i.addressWidth == 4 ? 0xffff_ffffL : 0xffffL;
    int pointer = in ? Cpu.RDI : Cpu.RSI;
    long step = (cpu.eflags & Cpu.DF) != 0 ? -size : size;
    for (int n = 0; n < MAX_REPEAT; n++) {
      if (repeat && (cpu.r[Cpu.RCX] & addresses) == 0) {
        finish(i.next());
        return Result.DONE;
      }
      long va = cpu.linear(in ? Instruction.ES : i.segment, cpu.r[pointer] & addresses);
      if (in) {
        int value = ports.read(port, size);
        for (int k = 0; k < size; k++) {
          data[k] = (byte) (value >>> 8 * k);
        }
      }
      if (!(in ? GuestAccess.copyOut(cpu, va, data, 0, size) : GuestAccess.copyIn(cpu, va, data, 0, size))) {
        entry.inject(Fault.PF, in ? Fault.PF_WRITE : 0, va);
        return Result.DONE;
      }
      if (!in) {
        int value = 0;
        for (int k = size - 1; k >= 0; k--) {
          value = value << 8 | data[k] & 0xff;
        }
        ports.write(port, size, value);
      }
      cpu.r[pointer] = merge(cpu.r[pointer], cpu.r[pointer] + step, i.addressWidth);
      if (repeat) {
        cpu.r[Cpu.RCX] = merge(cpu.r[Cpu.RCX], cpu.r[Cpu.RCX] - 1, i.addressWidth);
      }
      if (!repeat || hits != 0) {
        if (!repeat || (cpu.r[Cpu.RCX] & addresses) == 0) {
          finish(i.next());
        }
        if (hits != 0) {
          entry.inject(Fault.DB, Fault.NO_ERROR_CODE, hits);
        }
        return Result.DONE;
      }
    }
    // The rest after a look at events.
    return Result.DONE;
  }

  private static long merge(long old, long value, int width) {
    return width == 8 ? value : width == 4 ? value & 0xffff_ffffL : old & ~0xffffL | value & 0xffff;
  }

  // ---- Control, debug and model-specific registers ----

  private long readCr(int number) {
    return switch (number) {
      case 0 -> CR0 & ~Cpu.CR0_TS | (pv.taskSwitched ? Cpu.CR0_TS : 0);
      case 2 -> pv.cr2;
      case 3 -> vcpu.kernelRootMfn << 12;
      default -> pv.cr4;
    };
  }

  private Result setCr0(long value) {
    if (((value ^ CR0) & ~Cpu.CR0_TS) != 0) {
      return Result.REFLECT;
    }
    taskSwitched((value & Cpu.CR0_TS) != 0);
    return Result.DONE;
  }

  /** Sets or clears TS (do_fpu_taskswitch). */
  void taskSwitched(boolean set) {
    pv.taskSwitched = set;
    cpu.cr0 = set ? cpu.cr0 | Cpu.CR0_TS : cpu.cr0 & ~Cpu.CR0_TS;
  }

  /** Sets CR4 as far as a guest may (pv_fixup_guest_cr4, pv_make_cr4). */
  void setCr4(long value) {
    long allowed = CR4_TSD | CR4_DE;
    if (cpu.model.offers(Feature.FSGSBASE)) {
      allowed |= CR4_FSGSBASE;
    }
    if (cpu.model.offers(Feature.XSAVE)) {
      allowed |= CR4_OSXSAVE;
    }
    pv.cr4 = value & CR4_GUEST & allowed | CR4_VISIBLE;
    cpu.cr4 = cpu.cr4 & ~CR4_GUEST | pv.cr4 & CR4_GUEST;
    cpu.refresh();
  }

  /** The processor has seen to it that CR4.OSXSAVE is set (x86emul_write_xcr). */
  private Result setExtendedControl() {
    long value = cpu.r[Cpu.RAX] & 0xffff_ffffL | cpu.r[Cpu.RDX] << 32;
    return cpu.setExtendedControl((int) cpu.r[Cpu.RCX], value) ? Result.DONE : Result.REFLECT;
  }

  private Result moveSystemRegister(Instruction i) {
    if (i.kind0 == OperandKind.CR) {
      long value = cpu.r[i.reg1];
      return switch (i.reg0) {
        case 0 -> setCr0(value);
        case 2 -> {
          pv.cr2 = value;
          if (vcpu.vcpuInfoPa != 0) {
            cpu.memory.writeLong(vcpu.vcpuInfoPa + Vcpu.ARCH_CR2, value);
          }
          yield Result.DONE;
        }
        case 3 -> vcpu.domain.xen.mmu.roots().setKernelRoot(vcpu, value << 12 >>> 24) == 0 ? Result.DONE : Result.REFLECT;
        case 4 -> {
          setCr4(value);
          yield Result.DONE;
        }
        default -> Result.REFLECT;
      };
    }
    if (i.kind1 == OperandKind.CR) {
      if (i.reg1 != 0 && i.reg1 != 2 && i.reg1 != 3 && i.reg1 != 4) {
        return Result.REFLECT;
      }
      cpu.r[i.reg0] = readCr(i.reg1);
      return Result.DONE;
    }
    if (i.kind0 == OperandKind.DR) {
      int result = DebugRegisters.set(vcpu, i.reg0, cpu.r[i.reg1]);
      if (result == -Errno.ENODEV) {
        entry.inject(Fault.UD, Fault.NO_ERROR_CODE);
        return Result.DONE;
      }
      return result == 0 ? Result.DONE : Result.REFLECT;
    }
    if (i.kind1 == OperandKind.DR) {
      if (!DebugRegisters.readable(vcpu, i.reg1)) {
        entry.inject(Fault.UD, Fault.NO_ERROR_CODE);
        return Result.DONE;
      }
      cpu.r[i.reg0] = DebugRegisters.get(vcpu, i.reg1);
      return Result.DONE;
    }
    return Result.REFLECT;
  }

  private Result readMsr() {
    if (!msrs.read(vcpu, (int) cpu.r[Cpu.RCX])) {
      return Result.REFLECT;
    }
    cpu.r[Cpu.RAX] = msrs.value & 0xffff_ffffL;
    cpu.r[Cpu.RDX] = msrs.value >>> 32;
    return Result.DONE;
  }

  private Result writeMsr() {
    long value = cpu.r[Cpu.RAX] & 0xffff_ffffL | cpu.r[Cpu.RDX] << 32;
    return msrs.write(vcpu, (int) cpu.r[Cpu.RCX], value) ? Result.DONE : Result.REFLECT;
  }
}
