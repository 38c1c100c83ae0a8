package org.xenolith.xen;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The hypercall table of a 64-bit PV guest: from number (public header xen.h, __HYPERVISOR_*) to handler, with a count of each. */
public final class Hypercalls {
  /** Numbers below this exist at all; all others are -ENOSYS (Xen's call_handlers). */
  public static final int NUMBERS = 64;

  private static final String[] NAMES = new String[NUMBERS];

  static {
    String[] names = {
      "set_trap_table", "mmu_update", "set_gdt", "stack_switch", "set_callbacks", "fpu_taskswitch", "sched_op_compat", "platform_op",
      "set_debugreg", "get_debugreg", "update_descriptor", null, "memory_op", "multicall", "update_va_mapping", "set_timer_op",
      "event_channel_op_compat", "xen_version", "console_io", "physdev_op_compat", "grant_table_op", "vm_assist",
      "update_va_mapping_otherdomain", "iret", "vcpu_op", "set_segment_base", "mmuext_op", "xsm_op", "nmi_op", "sched_op", "callback_op",
      "xenoprof_op", "event_channel_op", "physdev_op", "hvm_op", "sysctl", "domctl", "kexec_op", "tmem_op", "argo_op", "xenpmu_op",
      "dm_op", "hypfs_op"
    };
    System.arraycopy(names, 0, NAMES, 0, names.length);
    NAMES[48] = "mca";
    NAMES[49] = "paging_domctl_cont";
  }

  private final Hypervisor xen;
  private final Hypercall[] handlers = new Hypercall[NUMBERS];
  private final long[] counts = new long[NUMBERS];

  /** The call in progress, -1 for none, and the multicall entry that it is. */
  private int inProgress = -1;

  private long[] arguments;
  private long batchVa;
  private long batchIndex;
  private long batchSize;

  Hypercalls(Hypervisor xen) {
    this.xen = xen;
  }

  /** The name of a hypercall, such as "mmu_update". */
  public static String name(long number) {
    boolean named = number >= 0 && number < NUMBERS && NAMES[(int) number] != null;
    return named ? NAMES[(int) number] : "hypercall_" + Long.toUnsignedString(number);
  }

  /** Makes {@code handler} answer a number. */
  public void set(int number, Hypercall handler) {
    handlers[number] = handler;
  }

  /** Issues a hypercall for a vcpu and returns its result. Numbers that nobody answers are -ENOSYS, as in Xen. */
  public long call(Vcpu vcpu, long number, long[] args) {
    if (number < 0 || number >= NUMBERS) {
      return -Errno.ENOSYS;
    }
    int n = (int) number;
    counts[n]++;
    Hypercall handler = handlers[n];
    int outer = inProgress;
    long[] outerArguments = arguments;
    inProgress = n;
    arguments = args;
    long result = handler == null ? -Errno.ENOSYS : handler.call(vcpu, args);
    inProgress = outer;
    arguments = outerArguments;
    xen.observer.hypercall(vcpu, n, args, result);
    return result;
  }

  /** Says which entry of a multicall the next call is; a {@code size} of 0: it is none. */
  public void batch(long entryVa, long index, long size) {
    batchVa = entryVa;
    batchIndex = index;
    batchSize = size;
  }

  /**
   * What the guest is asking for at this moment.
   *
   * @param request which request of the call's list, or -1
   * @param words the request
   * @param va the address it is about, or 0
   */
  public Breach.Operation operation(int request, int requests, long requestVa, List<Long> words, long va, long value) {
    if (inProgress < 0) {
      return Breach.Operation.instruction(va, value);
    }
    List<Long> five = Arrays.stream(arguments).limit(5).boxed().toList();
    return new Breach.Operation(inProgress, five, batchVa, batchIndex, batchSize, request, requests, requestVa, words, va, value);
  }

  /** How often each hypercall was issued, by name; sub-calls of a multicall count, too. */
  public Map<String, Long> counts() {
    Map<String, Long> map = new TreeMap<>();
    for (int n = 0; n < NUMBERS; n++) {
      if (counts[n] != 0) {
        map.put(name(n), counts[n]);
      }
    }
    return map;
  }
}
