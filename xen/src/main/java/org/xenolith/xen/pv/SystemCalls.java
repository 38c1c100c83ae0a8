package org.xenolith.xen.pv;

import org.xenolith.cpu.Cpu;
import org.xenolith.machine.Computer;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercall;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;

/** xen_version, vm_assist, console_io, and the calls that a domain without privilege is refused. */
final class SystemCalls {
  /** Bytes of console output that are taken at once, and chunks after which the vcpu looks at events and its limits. */
  private static final int CONSOLE_CHUNK = 128, CONSOLE_BATCH = 64;

  /** What each interface must be called with, 4.17: else -EACCES (sysctl.h, domctl.h, platform.h). */
  private static final int SYSCTL_VERSION = 0x15, DOMCTL_VERSION = 0x15, PLATFORM_VERSION = 0x0300_0000;

  private final Domain domain;
  private final GuestStruct arg = new GuestStruct(1024);
  private final Computer.Sink sink;

  SystemCalls(Domain domain, Computer.Sink sink) {
    this.domain = domain;
    this.sink = sink;
  }

  void register(Hypercalls calls) {
    calls.set(17, this::xenVersion);
    calls.set(18, this::consoleIo);
    calls.set(21, this::vmAssist);
    calls.set(7, (vcpu, args) -> privileged(vcpu, args[0], 4, PLATFORM_VERSION));
    calls.set(35, (vcpu, args) -> privileged(vcpu, args[0], 4, SYSCTL_VERSION));
    calls.set(36, (vcpu, args) -> privileged(vcpu, args[0], 4, DOMCTL_VERSION));
    Hypercall refused = (vcpu, args) -> -Errno.EPERM;
    calls.set(37, refused); // kexec_op
    calls.set(42, refused); // hypfs_op
    calls.set(48, refused); // mca
    calls.set(31, (vcpu, args) -> domain.xen.unimplemented("xenoprof_op " + args[0]));
    calls.set(34, this::hvmOp);
    // Without the vpmu option of Xen's command line there is none (do_xenpmu_op, arch/x86/cpu/vpmu.c).
    calls.set(40, (vcpu, args) -> -Errno.EOPNOTSUPP);
    // Device models are for domains that may control others: first is the target's domid.
    calls.set(41, (vcpu, args) -> (args[0] & 0xffff) == 0 ? -Errno.EPERM : -Errno.ESRCH);
    // Numbers without a handler are -ENOSYS, as in a Xen without what they are for: xsm_op (FLASK), tmem_op (gone since 4.13), argo_op
    // (CONFIG_ARGO), paging_domctl_cont (internal), and the old forms event_channel_op_compat and physdev_op_compat below.
    calls.set(16, this::eventChannelCompat);
    calls.set(19, this::physdevCompat);
  }

  /** The version comes first in these structures' second word; whoever has it right is refused for want of privilege. */
  private long privileged(Vcpu vcpu, long va, int at, int version) {
    if (!arg.read(vcpu.cpu, va, 8)) {
      return -Errno.EFAULT;
    }
    return arg.getInt(at) == version ? -Errno.EPERM : -Errno.EACCES;
  }

  /** event_channel_op before interface 0x00030202: the operation is the structure's first word (common/compat). */
  private long eventChannelCompat(Vcpu vcpu, long[] args) {
    if (!arg.read(vcpu.cpu, args[0], 4)) {
      return -Errno.EFAULT;
    }
    // The operation's structure lies 8 bytes on, and is written back there.
    return domain.channels.call(vcpu, new long[] {arg.getInt(0), args[0] + 8, 0, 0, 0});
  }

  private long physdevCompat(Vcpu vcpu, long[] args) {
    if (!arg.read(vcpu.cpu, args[0], 4)) {
      return -Errno.EFAULT;
    }
    return domain.xen.hypercalls.call(vcpu, 33, new long[] {arg.getInt(0), args[0] + 8, 0, 0, 0});
  }

  // ---- xen_version (common/kernel.c; public header version.h) ----

  private long xenVersion(Vcpu vcpu, long[] args) {
    Cpu cpu = vcpu.cpu;
    long va = args[1];
    switch ((int) args[0]) {
      case 0 -> {
        return CpuidPolicy.XEN_MAJOR << 16 | CpuidPolicy.XEN_MINOR;
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
        return string(cpu, va, 1024, "xen-3.0-x86_64 ");
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
    // mmu_pt_update_preserve_ad, highmem_assist, gnttab_map_avail_bits, memory_op_vnode_supported, direct_mapped (public features.h).
    int map = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 13 | 1 << 17;
    if ((domain.assists & Domain.ASSIST_PAE_EXTENDED_CR3) != 0) {
      map |= 1 << 4;
    }
    arg.putInt(4, map);
    return arg.write(cpu, va, 8) ? 0 : -Errno.EFAULT;
  }

  // ---- The rest ----

  private long vmAssist(Vcpu vcpu, long[] args) {
    int type = (int) args[1];
    if (type < 0 || type > 63 || (Domain.ASSISTS_VALID >>> type & 1) == 0) {
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

  /** Writing is allowed as in a Xen with a verbose console; reading takes privilege (xsm_console_io). */
  private long consoleIo(Vcpu vcpu, long[] args) {
    if ((int) args[0] != 0) {
      return -Errno.EPERM;
    }
    long count = args[1] & 0xffff_ffffL;
    long va = args[2];
    for (int chunks = 0; count > 0; chunks++) {
      if (chunks == CONSOLE_BATCH) {
        vcpu.rest = new long[] {0, count, va};
        return 0;
      }
      int n = (int) Math.min(count, CONSOLE_CHUNK);
      if (!arg.read(vcpu.cpu, va, n)) {
        return -Errno.EFAULT;
      }
      domain.xen.countWork();
      sink.write(arg.bytes(), n);
      va += n;
      count -= n;
    }
    return 0;
  }

  /** hvm_op (arch/x86/hvm/hvm.c): a PV domain has no parameters and no container. */
  private long hvmOp(Vcpu vcpu, long[] args) {
    switch ((int) args[0]) {
      case 0, 1 -> { // set_param, get_param
        if (!arg.read(vcpu.cpu, args[1], 16)) {
          return -Errno.EFAULT;
        }
        int domid = arg.getShort(0);
        return domid == 0x7ff0 || domid == domain.id ? -Errno.EINVAL : domid == 0 ? -Errno.EPERM : -Errno.ESRCH;
      }
      case 5 -> { // flush_tlbs: of containers
        return -Errno.EINVAL;
      }
      case 9 -> { // pagetable_dying: of containers
        if (!arg.read(vcpu.cpu, args[1], 16)) {
          return -Errno.EFAULT;
        }
        int domid = arg.getShort(0);
        return domid == 0x7ff0 || domid == domain.id ? -Errno.EINVAL : domid == 0 ? -Errno.EOPNOTSUPP : -Errno.ESRCH;
      }
      case 10 -> { // get_time
        arg.putLong(0, domain.xen.clock.now);
        return arg.write(vcpu.cpu, args[1], 8) ? 0 : -Errno.EFAULT;
      }
      case 15, 23 -> { // get_mem_type, set_evtchn_upcall_vector: of containers
        return -Errno.EINVAL;
      }
      case 11 -> { // xentrace: into a buffer that nobody reads
        if (!arg.read(vcpu.cpu, args[1], 32)) {
          return -Errno.EFAULT;
        }
        int extra = arg.getShort(2);
        return extra % 4 != 0 || extra > 28 || arg.getShort(0) >>> 12 != 0 ? -Errno.EINVAL : 0;
      }
      case 24 -> { // guest_request_vm_event: nobody asked for them
        return args[1] == 0 ? 0 : -Errno.EINVAL;
      }
      case 25 -> { // altp2m
        return domain.xen.unimplemented("hvm_op " + args[0]);
      }
      default -> {
        return -Errno.ENOSYS;
      }
    }
  }
}
