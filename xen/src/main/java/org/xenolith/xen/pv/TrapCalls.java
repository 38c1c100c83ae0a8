package org.xenolith.xen.pv;

import org.xenolith.cpu.Fault;
import org.xenolith.cpu.Mmu;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;

/** set_trap_table, set_callbacks, callback_op and nmi_op (pv/callback.c; public headers callback.h and nmi.h). */
final class TrapCalls {
  private static final int EVENT = 0, FAILSAFE = 1, SYSCALL = 2, NMI = 4, SYSENTER = 5, SYSCALL32 = 7;
  private static final int MASK_EVENTS = 1;

  /** A table longer than this is an attack: there are 256 vectors, and each entry costs Xen time. */
  private static final int MAX_ENTRIES = 65_536;

  private final GuestStruct arg = new GuestStruct(16);

  void register(Hypercalls calls) {
    calls.set(0, (vcpu, args) -> setTrapTable(vcpu, args[0]));
    calls.set(4, this::setCallbacks);
    calls.set(28, this::nmiOp);
    calls.set(30, this::callbackOp);
  }

  private long setTrapTable(Vcpu vcpu, long va) {
    PvState pv = vcpu.pv;
    if (va == 0) {
      for (int n = 0; n < 256; n++) {
        pv.trapAddress[n] = 0;
        pv.trapCs[n] = 0;
        pv.trapFlags[n] = 0;
      }
      return 0;
    }
    for (int n = 0; n < MAX_ENTRIES; n++) {
      vcpu.domain.xen.countWork();
      if (!arg.read(vcpu.cpu, va + 16L * n, 16)) {
        return -Errno.EFAULT;
      }
      long address = arg.getLong(8);
      if (address == 0) {
        return 0;
      }
      if (!Mmu.canonical(address)) {
        return -Errno.EINVAL;
      }
      int vector = arg.getByte(0);
      pv.trapAddress[vector] = address;
      pv.trapFlags[vector] = arg.getByte(1);
      pv.trapCs[vector] = Selectors.fixCode(arg.getShort(2));
    }
    return -Errno.E2BIG;
  }

  private long setCallbacks(Vcpu vcpu, long[] args) {
    // The flags of an entry that names none are clear.
    put(vcpu, EVENT, 0, args[0]);
    put(vcpu, FAILSAFE, 0, args[1]);
    put(vcpu, SYSCALL, 0, args[2]);
    return 0;
  }

  private long callbackOp(Vcpu vcpu, long[] args) {
    switch ((int) args[0]) {
      case 0 -> { // CALLBACKOP_register
        return arg.read(vcpu.cpu, args[1], 16) ? put(vcpu, arg.getShort(0), arg.getShort(2), arg.getLong(8)) : -Errno.EFAULT;
      }
      case 1 -> { // CALLBACKOP_unregister
        if (!arg.read(vcpu.cpu, args[1], 4)) {
          return -Errno.EFAULT;
        }
        return switch (arg.getShort(0)) {
          case EVENT, FAILSAFE, SYSCALL, SYSCALL32, SYSENTER -> -Errno.EINVAL;
          case NMI -> {
            setNmi(vcpu, 0);
            yield 0;
          }
          default -> -Errno.ENOSYS;
        };
      }
      default -> {
        return -Errno.ENOSYS;
      }
    }
  }

  private static long put(Vcpu vcpu, int type, int flags, long address) {
    PvState pv = vcpu.pv;
    if (!Mmu.canonical(address)) {
      return -Errno.EINVAL;
    }
    boolean mask = (flags & MASK_EVENTS) != 0;
    switch (type) {
      case EVENT -> pv.eventCallback = address;
      case FAILSAFE -> {
        pv.failsafeCallback = address;
        pv.failsafeMasksEvents = mask;
      }
      case SYSCALL -> {
        pv.syscallCallback = address;
        pv.syscallMasksEvents = mask;
      }
      case SYSCALL32 -> {
        pv.syscall32Callback = address;
        pv.syscall32MasksEvents = mask;
      }
      case SYSENTER -> {
        pv.sysenterCallback = address;
        pv.sysenterMasksEvents = mask;
      }
      case NMI -> setNmi(vcpu, address);
      default -> {
        return -Errno.ENOSYS;
      }
    }
    return 0;
  }

  private static void setNmi(Vcpu vcpu, long address) {
    PvState pv = vcpu.pv;
    pv.trapAddress[Fault.NMI] = address;
    pv.trapFlags[Fault.NMI] = address == 0 ? 0 : PvState.TRAP_MASKS_EVENTS;
    pv.trapCs[Fault.NMI] = address == 0 ? 0 : Selectors.FLAT_CS64;
  }

  private long nmiOp(Vcpu vcpu, long[] args) {
    switch ((int) args[0]) {
      case 0 -> { // XENNMI_register_callback
        if (!arg.read(vcpu.cpu, args[1], 16)) {
          return -Errno.EFAULT;
        }
        if (!Mmu.canonical(arg.getLong(0))) {
          return -Errno.EINVAL;
        }
        setNmi(vcpu, arg.getLong(0));
        return 0;
      }
      case 1 -> { // XENNMI_unregister_callback
        setNmi(vcpu, 0);
        return 0;
      }
      default -> {
        return -Errno.ENOSYS;
      }
    }
  }
}
