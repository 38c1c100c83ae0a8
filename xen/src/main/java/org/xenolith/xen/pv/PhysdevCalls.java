package org.xenolith.xen.pv;

import org.xenolith.cpu.Cpu;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.PvMmu;

/** physdev_op as a domain without devices gets it (arch/x86/physdev.c; public header physdev.h). */
final class PhysdevCalls {
  /** Interrupt lines that such a domain may name (nr_static_irqs and extra_domU_irqs). */
  private static final int PIRQS = 56;

  private static final int NEEDS_EOI = 1, IO_BITMAP_BYTES = 8192;

  private final Domain domain;
  private final PvMmu mmu;
  private final GuestStruct arg = new GuestStruct(32);
  private long eoiMapMfn;

  PhysdevCalls(Domain domain, PvMmu mmu) {
    this.domain = domain;
    this.mmu = mmu;
  }

  void register(Hypercalls calls) {
    calls.set(33, this::call);
  }

  private long call(Vcpu vcpu, long[] args) {
    Cpu cpu = vcpu.cpu;
    long va = args[1];
    int command = (int) args[0];
    switch (command) {
      case 4 -> { // IRQ_UNMASK_NOTIFY: no line is bound, so none needs it
        return 0;
      }
      case 5 -> { // irq_status_query
        if (!arg.read(cpu, va, 8)) {
          return -Errno.EFAULT;
        }
        if (Integer.compareUnsigned(arg.getInt(0), PIRQS) >= 0) {
          return -Errno.EINVAL;
        }
        arg.putInt(4, NEEDS_EOI);
        return arg.write(cpu, va, 8) ? 0 : -Errno.EFAULT;
      }
      case 6 -> { // set_iopl
        if (!arg.read(cpu, va, 4)) {
          return -Errno.EFAULT;
        }
        if (Integer.compareUnsigned(arg.getInt(0), 3) > 0) {
          return -Errno.EINVAL;
        }
        vcpu.pv.iopl = arg.getInt(0) << 12;
        return 0;
      }
      case 7 -> { // set_iobitmap
        if (!arg.read(cpu, va, 16)) {
          return -Errno.EFAULT;
        }
        if (!GuestAccess.accessible(arg.getLong(0), IO_BITMAP_BYTES) || Integer.compareUnsigned(arg.getInt(8), 65_536) > 0) {
          return -Errno.EINVAL;
        }
        vcpu.pv.ioBitmap = arg.getLong(0);
        vcpu.pv.ioBitmapPorts = arg.getInt(8);
        return 0;
      }
      case 17, 28 -> { // pirq_eoi_gmfn: a page with a bit for each line that needs an EOI; no line ever does
        if (!arg.read(cpu, va, 8)) {
          return -Errno.EFAULT;
        }
        long mfn = arg.getLong(0);
        if (!mmu.getWritablePage(domain, mfn)) {
          return -Errno.EINVAL;
        }
        if (eoiMapMfn != 0) {
          mmu.putWritablePage(mfn);
          return -Errno.EBUSY;
        }
        eoiMapMfn = mfn;
        return 0;
      }
      case 12 -> { // eoi: of a line that is not bound
        return arg.read(cpu, va, 4) ? -Errno.EINVAL : -Errno.EFAULT;
      }
      case 19, 27 -> { // restore_msi, restore_msi_ext: there is no device
        return arg.read(cpu, va, 4) ? -Errno.ENODEV : -Errno.EFAULT;
      }
      // The machine's interrupt controllers and devices are not this domain's: apic_read, apic_write, alloc_irq_vector, map_pirq,
      // unmap_pirq, manage_pci_add, manage_pci_remove, manage_pci_add_ext, setup_gsi, pci_mmcfg_reserved, pci_device_add,
      // pci_device_remove, dbgp_op, prepare_msix, release_msix.
      case 8, 9, 10, 13, 14, 15, 16, 20, 21, 24, 25, 26, 29, 30, 31 -> {
        return arg.read(cpu, va, 4) ? -Errno.EPERM : -Errno.EFAULT;
      }
      case 23 -> { // get_free_pirq
        return domain.xen.unimplemented("physdev_op get_free_pirq");
      }
      default -> {
        return -Errno.ENOSYS;
      }
    }
  }
}
