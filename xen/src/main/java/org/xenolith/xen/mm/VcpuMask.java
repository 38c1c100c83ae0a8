package org.xenolith.xen.mm;

import java.util.BitSet;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Vcpu;

/** Vcpus that a guest names by a bitmap, to have their TLBs flushed (vcpumask_to_pcpumask, arch/x86/mm.c). */
final class VcpuMask {
  private final BitSet vcpus = new BitSet();
  private final GuestStruct word = new GuestStruct(8);

  void only(Vcpu vcpu) {
    vcpus.clear();
    vcpus.set(vcpu.id);
  }

  void all(Domain domain) {
    vcpus.set(0, domain.vcpus.size());
  }

  /** Reads the guest's bitmap at {@code va}: 64-bit words, as many as the domain's vcpus need. Nobody, if it faults. */
  int read(Vcpu vcpu, long va) {
    vcpus.clear();
    for (int first = 0; first < vcpu.domain.vcpus.size(); first += Long.SIZE) {
      if (!word.read(vcpu.cpu, va + first / 8, 8)) {
        vcpus.clear();
        return -Errno.EFAULT;
      }
      long bits = word.getLong(0);
      for (; bits != 0; bits &= bits - 1) {
        vcpus.set(first + Long.numberOfTrailingZeros(bits));
      }
    }
    return 0;
  }

  boolean has(Vcpu vcpu) {
    return vcpus.get(vcpu.id);
  }
}
