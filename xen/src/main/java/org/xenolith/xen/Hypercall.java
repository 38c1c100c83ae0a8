package org.xenolith.xen;

/** The handler of one hypercall number. */
@FunctionalInterface
public interface Hypercall {
  /**
   * @param args the five arguments (rdi, rsi, rdx, r10, r8, or a multicall entry's); not changed, not kept
   * @return the result for rax: a negated {@link Errno}, or what the call defines
   */
  long call(Vcpu vcpu, long[] args);
}
