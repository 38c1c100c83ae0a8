package org.xenolith.insight.breach;

import java.util.List;
import org.xenolith.xen.Breach;

/**
 * A broken rule as it was seen when it happened.
 *
 * @param breach what the hypervisor said
 * @param vcpu the number of the vcpu
 * @param count the clock's count
 * @param stack the vcpu's, from the instruction that entered Xen
 * @param slotVas for each of the breach's slots the first linear address that goes through it, or null
 * @param frame the frame concerned, in a line, or ""
 * @param uses the entries that name that frame
 * @param openedAt where the guest's kernel has opened a port natively: the address of its segment's word that says so; 0 where that is not
 *     what happened
 */
record Incident(
    Breach breach, int vcpu, long count, List<StackFrame> stack, List<Long> slotVas, String frame, List<FrameUse> uses, long openedAt) {}
