package org.xenolith.xen.calls;

import org.xenolith.cpu.Cpu;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.XenLeaves;

/** xen_version and vm_assist: what Xen is, and what of it the guest switches on. */
public final class VersionCalls {
  /** mmu_pt_update_preserve_ad, highmem_assist, gnttab_map_avail_bits, memory_op_vnode_supported, direct_mapped (public features.h). */
  private static final int PV_FEATURES = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 13 | 1 << 17;

  /** writable_page_tables, auto_translated_physmap, hvm_callback_vector, hvm_safe_pvclock, memory_op_vnode_supported, not_direct_mapped. */
  private static final int CONTAINER_FEATURES = 1 << 0 | 1 << 2 | 1 << 8 | 1 << 9 | 1 << 13 | 1 << 16;

  /** What a machine with hardware containers can run (arch_get_xen_caps, arch/x86/setup.c). */
  private static final String CONTAINER_CAPABILITIES = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ";

  private final Domain domain;
  private final GuestStruct arg = new GuestStruct(1024);

  public VersionCalls(Domain domain) {
    this.domain = domain;
  }

  /** Puts both into the table. */
  public void register(Hypercalls calls) {
    calls.set(17, this::xenVersion);
    calls.set(21, this::vmAssist);
  }

  // ---- xen_version (common/kernel.c; public header version.h) ----

  private long xenVersion(Vcpu vcpu, long[] args) {
    Cpu cpu = vcpu.cpu;
    long va = args[1];
    switch ((int) args[0]) {
      case 0 -> {
        return XenLeaves.MAJOR << 16 | XenLeaves.MINOR;
      }
      case 1 -> { // extraversion
        return string(cpu, va, 16, ".7-xenolith");
      }
      case 2 -> { // compile_info
        arg.putString(0, 64, "javac");
        arg.putString(64, 16, "xenolith");
        arg.putString(80, 32, "xenolith");
        arg.putString(112, 32, "Thu Jan  1 00:00:00 UTC 2026");
        return arg.write(cpu, va, 144) ? 0 : -Errno.EFAULT;
      }
      case 3 -> { // capabilities
        return string(cpu, va, 1024, domain.isContainer() ? CONTAINER_CAPABILITIES : "xen-3.0-x86_64 ");
      }
      case 4 -> { // changeset
        return string(cpu, va, 64, "unavailable");
      }
      case 5 -> { // platform_parameters: where Xen's range starts
        arg.putLong(0, 0xffff_8000_0000_0000L);
        return arg.write(cpu, va, 8) ? 0 : -Errno.EFAULT;
      }
      case 6 -> {
        return features(cpu, va);
      }
      case 7 -> { // pagesize
        return va != 0 ? -Errno.EINVAL : 4096;
      }
      case 8 -> { // guest_handle
        arg.putLong(0, Long.reverseBytes(domain.handle.getMostSignificantBits()));
        arg.putLong(8, Long.reverseBytes(domain.handle.getLeastSignificantBits()));
        return arg.write(cpu, va, 16) ? 0 : -Errno.EFAULT;
      }
      case 9 -> { // commandline: not for this domain
        return string(cpu, va, 9, "<denied>");
      }
      case 10 -> { // build_id: not for this domain
        return -Errno.EPERM;
      }
      default -> {
        return -Errno.ENOSYS;
      }
    }
  }

  private long string(Cpu cpu, long va, int size, String value) {
    arg.putString(0, size, value);
    return arg.write(cpu, va, size) ? 0 : -Errno.EFAULT;
  }

  private long features(Cpu cpu, long va) {
    if (!arg.read(cpu, va, 8)) {
      return -Errno.EFAULT;
    }
    if (arg.getInt(0) != 0) {
      return -Errno.EINVAL;
    }
    int map = domain.isContainer() ? CONTAINER_FEATURES : PV_FEATURES;
    if ((domain.assists & Domain.ASSIST_PAE_EXTENDED_CR3) != 0) {
      map |= 1 << 4;
    }
    arg.putInt(4, map);
    return arg.write(cpu, va, 8) ? 0 : -Errno.EFAULT;
  }

  private long vmAssist(Vcpu vcpu, long[] args) {
    int type = (int) args[1];
    if (type < 0 || type > 63 || (domain.validAssists() >>> type & 1) == 0) {
      return -Errno.EINVAL;
    }
    switch ((int) args[0]) {
      case 0 -> domain.assists |= 1L << type;
      case 1 -> domain.assists &= ~(1L << type);
      default -> {
        return -Errno.ENOSYS;
      }
    }
    return 0;
  }
}
